"""Ids that depend on nothing but what they are made from."""

from hashlib import md5


def make_uuid(*parts: object) -> str:
    """A version 4 UUID, the same for the same parts."""
    digest = md5(":".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
