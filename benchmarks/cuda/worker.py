"""A process that measures. If it dies, hangs or loses its GPU, one entry is lost and it is replaced."""

import multiprocessing

from .measure import Line, measure

LIMIT = 90  # seconds for one entry, with all that it compiles


class Worker:
    """Measure entries in another process; `limit`: seconds for each."""

    def __init__(self, device, limit=LIMIT, measure=measure):
        self._device, self._limit, self._measure = device, limit, measure
        self._process = self._pipe = None

    def measure(self, entry):
        """Return the entry's Line."""
        if self._process is None:
            self._start()
        try:
            self._pipe.send(entry)
            if self._pipe.poll(self._limit):
                line = self._pipe.recv()
            else:
                line = Line(absent=f"took more than {self._limit} s", broken=True)
        except (EOFError, OSError):
            self._process.join()
            line = Line(absent=f"its process ended with code {self._process.exitcode}", broken=True)
        if line.broken:
            self.close()
        return line

    def close(self):
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _start(self):
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._device, self._measure)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe, device, measure):
    import torch

    from parity_tests.exact import exact_products

    exact_products()
    torch._dynamo.config.recompile_limit = 64  # beyond it, PyTorch would silently stop compiling
    before = None
    while True:
        entry = pipe.recv()
        shapes = (entry.work.compiled_for, entry.dtype, entry.backward)
        if shapes != before:
            torch.compiler.reset()
        before = shapes
        pipe.send(measure(entry, device))
