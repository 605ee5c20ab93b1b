# ruff: noqa: UP007, UP045, PYI030, PYI051, RUF012
"""Models of every sort that an SDK may have, on openai-python's own base."""

import enum
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import pydantic
from openai._models import BaseModel, GenericModel
from openai._utils import PropertyInfo
from typing_extensions import TypedDict

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"


class Row(TypedDict):
    a: int


class Plain(BaseModel):
    text: str
    whole: int
    number: float
    when: datetime
    day: date
    yes: bool
    anything: object
    numbers: list[float]
    table: dict[str, float]
    bare: list
    nothing: None = None


class Cat(BaseModel):
    kind: Literal["cat", "kitten"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str
    friends: Optional[list["Pet"]] = None


class Lion(BaseModel):
    kind: Literal["cat"]
    mane: bool


class Nameless(BaseModel):
    lives: Optional[int] = None


class Failure(BaseModel):
    error: Nameless
    status: int


class Number(BaseModel):
    kind: Literal[1, 2]


Pet = Annotated[Union[Cat, Dog], PropertyInfo(discriminator="kind")]
Dog.model_rebuild()


class Unions(BaseModel):
    pet: Pet
    some_of_a_kind: Union[Cat, Lion, Dog]
    not_told_apart: Union[Cat, Nameless]
    or_failure: Union[Cat, Failure]
    pet_or_failure: Union[Cat, Lion, Dog, Failure, None]
    by_type: Union[str, list[Cat], Dog, bool, int, None]
    nested: Optional[Union[Annotated[Union[Cat, Dog], PropertyInfo(discriminator="kind")], str]]
    numbers_and_texts: list[Union[int, float, str]]
    literals: Union[Literal["a", "b"], Literal["c"], None]
    any_text: Union[Literal["a"], str]
    moment: Optional[datetime]
    fraction: Optional[float]
    color: Optional[Color]
    numbered: Union[Number, str]
    tables: Optional[dict[str, list[Optional[Cat]]]]
    odd_keys: Optional[dict[int, str]]
    row: Optional[Row]
    limited: Optional[Annotated[int, pydantic.Field(gt=3)]]
    pair: Optional[tuple[int, str]]


class Validated(BaseModel):
    text: str = "b"
    numbers: list[int] = [3]
    made: list[int] = pydantic.Field(default_factory=lambda: [4])
    other: Optional[int] = 8


class Defaults(BaseModel):
    text: str = "a"
    optional: Optional[int] = 7
    numbers: list[int] = [1]
    made: list[int] = pydantic.Field(default_factory=lambda: [2])
    inner: Optional["Defaults"] = None
    validated: Optional[Validated] = None


class Aliases(BaseModel):
    from_: str = pydantic.Field(alias="from")
    schema_: Optional[int] = pydantic.Field(alias="schema", default=None)


class Extras(BaseModel):
    __pydantic_extra__: dict[str, Cat] = pydantic.Field(init=False)
    text: str


class OwnWay(BaseModel):
    text: str

    @classmethod
    def construct(cls, _fields_set: Any = None, **values: object) -> Any:
        return super().construct(_fields_set, **{**values, "text": "mine"})

    model_construct = construct


class Private(BaseModel):
    text: str
    _secret: int = pydantic.PrivateAttr(default=5)


class Checked(BaseModel):
    text: str

    @pydantic.field_validator("text")
    @classmethod
    def shout(cls, value: str) -> str:
        return value.upper()


class Box(GenericModel, Generic[T]):
    content: T
    maybe: Optional[T] = None


class Tree(BaseModel):
    leaves: list[str]
    branches: list["Tree"]


class Everything(BaseModel):
    plain: Plain
    unions: Unions
    defaults: Defaults
    aliases: Aliases
    extras: Extras
    own_way: OwnWay
    private: Private
    checked: Checked
    boxed: Box[Cat]
    tree: Tree
    many: list[Defaults]
    by_name: dict[str, Plain]
    color: Color
    maybe_aliases: Optional[Aliases]
    maybe_extras: Optional[Extras]
    maybe_own_way: Optional[OwnWay]
    maybe_private: Optional[Private]
    maybe_checked: Optional[Checked]
    maybe_boxed: Optional[Box[float]]
    maybe_tree: Optional[Tree]


MODELS = [Plain, Unions, Defaults, Aliases, Extras, OwnWay, Private, Checked, Box[Cat], Tree, Everything]
