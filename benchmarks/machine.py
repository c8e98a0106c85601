"""The machine: cores, CPU times, memory, and a description for the report.

Memory and the CPU time of a server come from /proc. On systems other than Linux they are None, and the
workloads that need them fail with that reason. CPU times are seconds, memory is bytes.
"""

import os
import platform
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PAGE = resource.getpagesize()
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """The cores for the server and for the client; None if they cannot be chosen."""

    server: int | None
    client: int | None
    every: tuple[int, ...] = ()  # all cores that this process may use

    @property
    def apart(self) -> bool:
        return self.server is not None


def choose_cores() -> Cores:
    """Two of the cores that this process may use; not on the same physical core, if possible."""
    if not hasattr(os, "sched_setaffinity"):
        return Cores(None, None)
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        return Cores(None, None)
    server = allowed[0]
    siblings = _siblings(server)
    client = next((core for core in allowed[1:] if core not in siblings), allowed[1])
    return Cores(server, client, tuple(allowed))


def _siblings(core: int) -> set[int]:
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        found: set[int] = set()
        for part in path.read_text().strip().split(","):
            first, _, last = part.partition("-")
            found.update(range(int(first), int(last or first) + 1))
        return found
    except (OSError, ValueError):
        return {core}


def run_on(cores: int | tuple[int, ...] | None) -> None:
    """Pin this process, and processes that it starts later, to these cores; None changes nothing."""
    if cores is not None and cores != ():
        os.sched_setaffinity(0, {cores} if isinstance(cores, int) else cores)


def raise_file_limit() -> int:
    """Raise the limit of open files to its maximum, for child processes too; return the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 65536
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def session_members(leader: int) -> list[int]:
    """The processes of the session that ``leader`` started: a server and all its workers."""
    members = []
    if not PROC.joinpath("self/stat").exists():
        return [leader]
    for path in PROC.iterdir():
        if path.name.isdigit():
            fields = _stat(int(path.name))
            if fields and int(fields[3]) == leader and fields[0] != "Z":
                members.append(int(path.name))
    return members


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat, starting with the third (state, parent, group, session, ...)."""
    try:
        return PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_seconds(pids: list[int]) -> float | None:
    """CPU time that these processes have used so far."""
    total = 0.0
    seen = False
    for pid in pids:
        exact = _scheduler_seconds(pid)
        if exact is not None:
            total += exact
            seen = True
        elif fields := _stat(pid):
            total += (int(fields[11]) + int(fields[12])) / TICK
            seen = True
    return total if seen else None


def waiting_seconds(pids: list[int]) -> float | None:
    """Time that these processes have waited for a core while they were ready to run."""
    waits = [_scheduler_seconds(pid, field=1) for pid in pids]
    known = [wait for wait in waits if wait is not None]
    return sum(known) if known else None


def _scheduler_seconds(pid: int, field: int = 0) -> float | None:
    """Seconds that all threads of a process ran on a core (field 0) or waited for one (field 1)."""
    total = 0
    try:
        for task in PROC.joinpath(str(pid), "task").iterdir():
            total += int(task.joinpath("schedstat").read_text().split()[field])
    except (OSError, ValueError, IndexError):
        return None
    return total / 1e9


def resident(pids: list[int]) -> int | None:
    """Resident memory of these processes together."""
    return _status(pids, "VmRSS:")


def peak_resident(pids: list[int]) -> int | None:
    """The sum of these processes' peaks since their start or since ``reset_peak``."""
    return _status(pids, "VmHWM:")


def _status(pids: list[int], name: str) -> int | None:
    total = 0
    for pid in pids:
        try:
            lines = PROC.joinpath(str(pid), "status").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
    return total or None


def reset_peak(pids: list[int]) -> bool:
    """Reset the peaks of ``peak_resident``; return False if the kernel does not allow it."""
    try:
        for pid in pids:
            PROC.joinpath(str(pid), "clear_refs").write_text("5")
    except OSError:
        return False
    return True


def available_memory() -> int | None:
    try:
        for line in PROC.joinpath("meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def describe() -> dict[str, str]:
    """A short description of the machine, without host name or paths."""
    model = platform.processor() or platform.machine()
    try:
        for line in PROC.joinpath("cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    memory = "unknown"
    try:
        memory = f"{os.sysconf('SC_PHYS_PAGES') * PAGE / 2**30:.0f} GiB"
    except (OSError, ValueError):
        pass
    return {
        "processor": model,
        "cores": str(os.cpu_count()),
        "memory": memory,
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def kill_members(leader: int, pids: list[int]) -> None:
    """Send SIGKILL to those of ``pids`` that still belong to the session that ``leader`` started."""
    for pid in pids:
        try:
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
