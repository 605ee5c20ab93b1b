from __future__ import annotations


class BodyReader:
    def __init__(self, framing):
        self.framing = framing
        self.left = framing if isinstance(framing, int) else 0
        self.is_complete = framing == 0
        self.error = None
        self.excess = b""
        self.buf = b""
        self.phase = "size"
        self.total = self.left

    def feed(self, data):
        if self.error or self.is_complete:
            self.excess += data if self.is_complete else b""
            return b""
        if self.framing == "until-close":
            return data
        if self.framing != "chunked":
            out, rest = data[: self.left], data[self.left :]
            self.left -= len(out)
            if not self.left:
                self.is_complete = True
                self.excess = rest
            return out
        buf = self.buf + data
        out = b""
        while True:
            if self.phase == "size":
                i = buf.find(b"\r\n")
                if i < 0:
                    break
                try:
                    self.left = int(buf[:i].split(b";")[0], 16)
                except ValueError:
                    self.error = f"illegal chunk header: {buf[:i]!r}"
                    break
                buf = buf[i + 2 :]
                self.phase = "data" if self.left else "trailer"
            elif self.phase == "data":
                part = buf[: self.left]
                out += part
                buf = buf[len(part) :]
                self.left -= len(part)
                if self.left:
                    break
                self.phase = "crlf"
            elif self.phase == "crlf":
                if len(buf) < 2:
                    break
                if buf[:2] != b"\r\n":
                    self.error = "malformed chunk footer"
                    break
                buf = buf[2:]
                self.phase = "size"
            else:
                i = buf.find(b"\r\n")
                if i < 0:
                    break
                line, buf = buf[:i], buf[i + 2 :]
                if not line:
                    self.is_complete = True
                    self.excess = buf
                    buf = b""
                    break
        self.buf = buf
        return out

    def finish(self):
        if self.is_complete or self.error:
            return
        if self.framing == "until-close":
            self.is_complete = True
        elif self.framing == "chunked":
            self.error = (
                "peer closed connection without sending complete message body (incomplete chunked read)"
            )
        else:
            self.error = f"peer closed connection without sending complete message body (received {self.total - self.left} bytes, expected {self.total})"
