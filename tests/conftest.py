"""One thread: small tensors on busy cores are many times faster so, and the same numbers come out everywhere.

And Ctrl-C interrupts, as tests expect: a shell starts its background jobs with that signal ignored.
"""

import signal

import torch

torch.set_num_threads(1)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
