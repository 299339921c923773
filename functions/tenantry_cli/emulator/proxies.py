"""The environment of the functions: they reach this machine without the caller's proxy."""

import ssl
from collections.abc import Mapping

import httpx

_VARIABLES = ("no_proxy", "NO_PROXY")


def functions_environment(caller: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The caller's variables, and a warning if the proxy variables among them are left out.

    httpx reads them when a function makes a client, and refuses some values that other programs
    accept. The functions could not be loaded then.
    """
    try:
        # Without certificates, which take long to load: this client sends nothing.
        httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)).close()
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        kept = {name: caller[name] for name in caller if not _is_proxy(name)}
        return kept, (
            "The functions run without a proxy, because httpx cannot use the variables "
            f"{', '.join(sorted(filter(_is_proxy, caller)))}: {error}",
        )
    excepted = [caller.get("no_proxy", caller.get("NO_PROXY", "")), "127.0.0.1"]
    return {**caller, **dict.fromkeys(_VARIABLES, ",".join(filter(None, excepted)))}, ()


def _is_proxy(name: str) -> bool:
    return name.lower().endswith("_proxy")
