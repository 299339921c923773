"""What a command does with a signal."""

from types import FrameType

# The exit code of Ctrl-C in a shell.
INTERRUPTED = 130


def ignore(number: int, frame: FrameType | None) -> None:
    """Takes the place of SIG_IGN. When two signals come at once, and the handler of the first
    one sets SIG_IGN for the second, Python prints a stack trace."""
