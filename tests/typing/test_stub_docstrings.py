from stub_docstrings import STUB, documented


def test_the_stub_has_the_docstrings_of_the_extension():
    text = STUB.read_text()
    # Blank lines after docstrings are the formatter's.
    expected = [line for line in documented(text).split("\n") if line]
    assert [line for line in text.split("\n") if line] == expected, f"run {documented.__module__}.py"
