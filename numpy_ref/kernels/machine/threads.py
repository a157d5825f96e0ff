"""The kernels' threads: a team of helpers, and the one place that sets it up.

numba's threading layers spin while they wait (OpenMP, which starves other work) or cannot be called from
two threads (workqueue), and compile every loop a second time. Here a loop is compiled once. `share` runs
it in the caller and in helpers, which take pieces one by one without the interpreter lock. What a piece
is follows from shapes alone, so the bits never depend on the number of threads. A helper without work
polls for a fraction of a millisecond, the time between two kernels, and then sleeps: to wake a sleeping
thread costs 0.05 to 0.1 ms on a virtual machine. README.md has the protocol as a table.
"""

import os
import threading
from contextlib import suppress
from queue import SimpleQueue

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from ...checks import check_positive_int
from .buffers import empty
from .jit import compiled, inner

POLLS = 1 << 19  # of the job's number by a helper without work, before it sleeps: about 0.2 ms
LINE = 8  # words: counters that different threads write lie in cache lines of their own
NUMBER, OPEN, ACTIVE, BUSY = 0, LINE, 2 * LINE, 4 * LINE
CODE, DATA, HELPERS = 3 * LINE, 3 * LINE + 1, 3 * LINE + 2
WORDS = 5 * LINE
NEXT, DONE = 0, LINE  # in a job's progress
CALLER = -1  # the worker that shares a job; it then is worker 0
MOST_THREADS = 1024
PIECE = 1 << 14  # elements of a piece of elementwise work: about 10 µs of it

_threads = None
_teams = {}  # {num_threads(): _Team}, mostly one; setdefault and popitem are atomic: no lock


def num_threads():
    """Threads that the kernels use: NUMBA_NUM_THREADS or the processors of this process, unless set."""
    return min(config.NUMBA_NUM_THREADS, MOST_THREADS) if _threads is None else _threads


def set_num_threads(n):
    """Let the kernels use n threads, the calling one included; results keep their bits."""
    global _threads
    check_positive_int(n=n)
    if n > MOST_THREADS:
        raise ValueError(f"n is {n}, expected at most {MOST_THREADS}")
    _threads = int(n)
    _stop_teams()


def run(kernel, pieces, *arguments, scratch=None):
    """Call kernel(worker, words, helpers, progress, pieces, *arguments); return when all is done.

    scratch: (elements, dtype) of an array for each thread; the first of the arguments then is an array
    with a row per thread. A second caller meanwhile works alone. Nothing is claimed here that would have
    to be given back: an interrupt may come between any two instructions of Python.
    """
    if not pieces:
        return
    threads, words = num_threads(), _NO_TEAM
    helpers = 0 if config.DISABLE_JIT else min(threads, pieces) - 1
    if helpers:
        team = _team_of(threads)
        words = team.words
        team.wake(helpers)
    if scratch is not None:
        arguments = (empty((helpers + 1, scratch[0]), scratch[1]), *arguments)
    worker = CALLER if helpers else 0
    kernel(worker, words, helpers, np.zeros(2 * LINE, np.int64), pieces, *arguments)


_NO_TEAM = np.zeros(WORDS, np.int64)


def _team_of(threads):
    """The team for so many threads; its helpers start when they are first needed."""
    team = _teams.get(threads) or _teams.setdefault(threads, _Team(threads - 1))
    try:
        team.start()
    except BaseException:  # an interrupt, after which it is not known which helpers run
        _stop_teams()
        raise
    return team


def _stop_teams():
    with suppress(KeyError):  # when there are none
        while True:
            _teams.popitem()[1].stop()


class _Team:
    """Threads that help with one job after the other; a late helper finds no pieces left."""

    def __init__(self, size):
        self.words = np.zeros(WORDS, np.int64)
        self.stopped = False
        self.asleep = [False] * size
        self.wakeups = [SimpleQueue() for _ in range(size)]  # in C: an interrupt cannot break one
        self.unstarted = iter(range(size))  # two callers at once never start the same helper

    def start(self):
        for n in self.unstarted:
            threading.Thread(target=self._help, args=(n,), name=f"numpy_ref-{n}", daemon=True).start()

    def wake(self, helpers):
        for n in range(helpers):
            if self.asleep[n]:
                self.wakeups[n].put(None)

    def stop(self):
        self.stopped = True
        for wakeup in self.wakeups:
            wakeup.put(None)

    def _help(self, n):
        seen = 0
        while not self.stopped:
            seen = _serve(self.words, n + 1, seen, POLLS)
            self.asleep[n] = True  # from here on a caller with a job wakes it up
            if self.words[NUMBER] == seen and not self.stopped:
                self.wakeups[n].get()
            self.asleep[n] = False


os.register_at_fork(after_in_child=_teams.clear)  # a child has none of its parent's threads


@intrinsic
def _peek(typingctx, words, place):
    """words[place] as it is in memory now."""

    def codegen(context, builder, sig, args):
        start = context.make_array(words)(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(start, [args[1]]), "seq_cst", 8)

    return types.int64(words, types.int64), codegen


def _changing(operation):
    @intrinsic
    def change(typingctx, words, place, value):
        def codegen(context, builder, sig, args):
            start = context.make_array(words)(context, builder, args[0]).data
            return builder.atomic_rmw(operation, builder.gep(start, [args[1]]), args[2], "seq_cst")

        return types.int64(words, types.int64, types.int64), codegen

    return change


_add, _put = _changing("add"), _changing("xchg")  # both return what was there before


@intrinsic
def _job(typingctx, words, helpers, arguments):
    """(code, data): _call(code, data, worker) calls the enclosing function again with this worker."""

    def codegen(context, builder, sig, args):
        word, this = ir.IntType(64), builder.function
        data = cgutils.alloca_once_value(
            builder, context.make_tuple(builder, types.Tuple(sig.args), args)
        )
        kind = ir.FunctionType(ir.VoidType(), [word, word])
        code = ir.Function(builder.module, kind, builder.module.get_unique_name("numpy_ref_job"))
        code.linkage = "internal"
        inside = ir.IRBuilder(code.append_basic_block())
        stored = inside.load(inside.inttoptr(code.args[0], data.type))
        given = [code.args[1], *(inside.extract_value(stored, n) for n in range(3))]
        context.call_conv.call_function(inside, this, types.none, (types.int64, *sig.args), given)
        inside.ret_void()
        pair = [builder.ptrtoint(code, word), builder.ptrtoint(data, word)]
        return context.make_tuple(builder, sig.return_type, pair)

    return types.UniTuple(types.int64, 2)(words, helpers, arguments), codegen


@intrinsic
def _call(typingctx, code, data, worker):
    def codegen(context, builder, sig, args):
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word, word])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@njit(inline="always")
def _share_jitted(worker, words, helpers, arguments):
    """Run the enclosing kernel in this thread and in the helpers -> True; False within those runs.

    Every kernel(worker, words, helpers, *arguments) begins with this; its arguments begin with the job's
    progress and number of pieces. While the helpers are busy with another caller's job, this thread does
    the job alone. The job's data lies in the caller's frame, so no helper may use it after the return: a
    helper counts itself as active before it looks whether the job is open, and the caller closes the job
    before it waits for the active ones. When these have left, all pieces are done.
    """
    if worker != CALLER:
        return False
    code, data = _job(words, helpers, arguments)
    if _put(words, BUSY, 1):
        _call(code, data, 0)
        return True
    _put(words, CODE, code)
    _put(words, DATA, data)
    _put(words, HELPERS, helpers)
    _put(words, OPEN, 1)
    _add(words, NUMBER, 1)
    _call(code, data, 0)
    _put(words, OPEN, 0)
    while _peek(words, ACTIVE):
        pass
    _put(words, BUSY, 0)
    return True


@compiled
def _serve(words, worker, seen, polls):
    """Help with every job until `polls` polls in a row find none -> number of the last job."""
    polled = 0
    while polled < polls:
        number = _peek(words, NUMBER)
        polled += 1
        if number != seen:
            seen, polled = number, 0
            _add(words, ACTIVE, 1)
            if _peek(words, OPEN) and worker <= _peek(words, HELPERS):
                _call(_peek(words, CODE), _peek(words, DATA), worker)
            _add(words, ACTIVE, -1)
    return seen


@inner
def taken(progress, pieces):
    """Yield the pieces that this thread takes; one is done when the next is asked for.

    A loop over them must not be left early: whoever awaits its piece would wait for ever.
    """
    piece = _next(progress)
    while piece < pieces:
        yield piece
        _finish(progress)
        piece = _next(progress)


@inner
def _next_jitted(progress):
    return _add(progress, NEXT, 1)


@inner
def _finish_jitted(progress):
    _add(progress, DONE, 1)


@inner
def _await_jitted(progress, pieces):
    """Return when the first `pieces` pieces are done: when a later one is taken, others work on them.

    The loop waits in every piece that is not among the first.
    """
    while _peek(progress, DONE) < pieces:
        pass


def _share_without_jit(worker, words, helpers, arguments):
    return False


def _next_without_jit(progress):
    progress[NEXT] += 1
    return int(progress[NEXT]) - 1


def _finish_without_jit(progress):
    progress[DONE] += 1


def _await_without_jit(progress, pieces):
    assert progress[DONE] >= pieces, f"{progress[DONE]} pieces are done, expected {pieces}"


if config.DISABLE_JIT:
    share, await_pieces = _share_without_jit, _await_without_jit
    _next, _finish = _next_without_jit, _finish_without_jit
else:
    share, await_pieces = _share_jitted, _await_jitted
    _next, _finish = _next_jitted, _finish_jitted
