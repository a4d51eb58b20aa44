"""llama.cpp's own server (of the package xllamacpp) as a process: PORT FILE [NAME]."""

import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.port, params.model.path = int(sys.argv[1]), sys.argv[2]
params.model_alias = set(sys.argv[3:])
params.n_ctx, params.n_parallel = 4096, 2
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.warmup = False
server = xllamacpp.Server(params)
signal.pause()
