"""The two ways in which reading fails: a whole volume is refused, or one mail is damaged."""


class Refused(Exception):
    """A volume is refused with one of the codes of the page."""

    def __init__(self, code, reason):
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class Damaged(Exception):
    """One mail is damaged; the others are not touched by it."""
