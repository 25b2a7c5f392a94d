"""The command `orilla`: one file a command, nothing heavy imported until the command runs."""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import click

from orilla_runtime.errors import OrillaError
from orilla_runtime.text import printable

COMMANDS = {
    "quickstart": "orilla.cli.quickstart",
    "data": "orilla.cli.data",
    "train": "orilla.cli.train",
    "tune": "orilla.cli.tune",
    "retrain": "orilla.cli.retrain",
    "convert": "orilla.cli.convert",
    "models": "orilla.cli.models",
    "recipes": "orilla.cli.recipes",
    "evaluate": "orilla.cli.evaluate",
    "run": "orilla.cli.run",
    "serve": "orilla.cli.serve",
    "benchmark": "orilla.cli.benchmark",
    "info": "orilla.cli.info",
    "metadata": "orilla.cli.metadata",
    "export": "orilla.cli.export",
    "doctor": "orilla.cli.doctor",
    "completion": "orilla.cli.completion",
}


class LazyGroup(click.Group):
    """A group whose commands are modules with a `command`, imported when they are called or listed.

    homes: the module of each command, in the order of the help.
    """

    def __init__(self, *args: Any, homes: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's name
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's names
        if cmd_name not in self._homes:
            return None
        command: click.Command = importlib.import_module(self._homes[cmd_name]).command
        return command


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from orilla import __version__

        click.echo(f"orilla {__version__}")
        context.exit()


@click.group(cls=LazyGroup, homes=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Print the version."
)
def cli() -> None:
    """From a folder of pictures to a verified vision model on a phone, a board or a factory PC.

    Exit codes: 0 done, 1 error, 2 usage, 3 a quality gate failed. --debug shows the traceback of an error.
    """


def main() -> None:
    """The entry point of the command `orilla`."""
    _fill_missing_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A label that the terminal's encoding does not have is no reason to show nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    if "--debug" not in sys.argv:
        _silence_native_libraries()
    # A service manager's stop is an interruption like Ctrl-C: scratch folders and half-written files are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # So is a terminal that closes, such as a connection that breaks off; with `nohup` the work goes on.
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _hung_up)
    sys.exit(invoke(sys.argv[1:]))


def _hung_up(number: int, _frame: FrameType | None) -> None:
    """Interrupts once: a terminal that closes tells its programs more than once, and tidying up takes a while."""
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _fill_missing_streams() -> None:
    """Open `/dev/null` as each standard stream that this process was started without (`>&-`, some supervisors).

    The next file to be opened would become that stream, and what libraries print would stand among the results.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


def _silence_native_libraries() -> None:
    """Keep what LiteRT, FFmpeg and libjpeg write to file descriptor 2 off the screen; `--debug` shows it.

    Python's own standard error goes on to where descriptor 2 led before.
    """
    sys.stderr.flush()
    sys.stderr = os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; errors are shown on standard error in one or two lines."""
    arguments, debug = _take_debug(arguments)
    try:
        outcome = cli.main(list(arguments), prog_name="orilla", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _report(error)


def _take_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """`--debug` is taken anywhere before `--`, so that it can be added to the end of the line that failed."""
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    head = [argument for argument in arguments[:end] if argument != "--debug"]
    return head + list(arguments[end:]), len(head) < end


def _report(error: Exception) -> int:
    if isinstance(error, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        return 1
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, OrillaError):
        click.echo(f"{click.style('error:', fg='red')} {printable(error.message)}", err=True)
        if error.remedy:
            click.echo(printable(error.remedy), err=True)
        return error.exit_code
    click.echo(f"{click.style('error:', fg='red')} {printable(_in_one_line(error))}", err=True)
    return 1


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.filename or 'the disk'}: no space left on the disk. Free some, or write elsewhere."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}."
    if isinstance(error, MemoryError):
        return "out of memory. Use fewer or smaller pictures."
    return (
        f"unexpected {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''} (--debug shows where)"
    )
