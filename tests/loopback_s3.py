"""A bucket on loopback: as much of S3's interface as keeping files takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.loopback_http import Handler, listening

DATE = "Fri, 27 Nov 2026 12:00:00 GMT"


@contextmanager
def bucket() -> Iterator[str]:
    """The endpoint of a service whose buckets are empty, until the end of the block."""
    objects: dict[str, bytes] = {}

    class Answering(Handler):
        @property
        def key(self) -> str:
            return unquote(urlsplit(self.path).path)

        def do_PUT(self) -> None:
            assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/")
            objects[self.key] = self.read_body()
            self.answer(200, b"", {"ETag": '"x"'})

        def do_HEAD(self) -> None:
            self.send_object(b"")

        def get(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            if "list-type" in asked or "prefix" in asked:
                self.list(asked.get("prefix", [""])[0], asked.get("delimiter", [""])[0])
            else:
                self.send_object(objects.get(self.key, b""))

        def do_DELETE(self) -> None:
            objects.pop(self.key, None)
            self.answer(204, b"", {})

        def send_object(self, body: bytes) -> None:
            if self.key not in objects:
                self.send_head(404, 0, {})
                return
            self.send_head(200, len(objects[self.key]), {"Last-Modified": DATE, "ETag": '"x"'})
            self.wfile.write(body)

        def list(self, prefix: str, delimiter: str) -> None:
            start = f"{self.key.rstrip('/')}/"
            names = [name.removeprefix(start) for name in objects if name.startswith(start + prefix)]
            parts = {name: name.removeprefix(prefix).partition(delimiter) for name in names}
            folders = dict.fromkeys(f"{prefix}{part[0]}{delimiter}" for part in parts.values() if part[1])
            files = [name for name, part in parts.items() if not part[1]]
            self.answer(
                200,
                "".join(
                    [
                        "<ListBucketResult><IsTruncated>false</IsTruncated>",
                        *(f"<Contents><Key>{escape(name)}</Key><Size>1</Size></Contents>" for name in files),
                        *(
                            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
                            for name in folders
                        ),
                        "</ListBucketResult>",
                    ]
                ).encode(),
                {"Content-Type": "application/xml"},
            )

    with listening(Answering) as port:
        yield f"http://127.0.0.1:{port}"
