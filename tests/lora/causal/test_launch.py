"""One GPU is a plain process; several are what accelerate's own parser reads as FSDP."""

from __future__ import annotations

import sys

from accelerate.commands.launch import launch_command_parser

from lora.causal.launch import command, is_main, processes
from settings import Train


def test_one_gpu_needs_no_launcher() -> None:
    assert command("lora.train", Train()) == [sys.executable, "-m", "lora.train"]


def test_several_are_started_as_accelerate_reads_it() -> None:
    line = command("lora.train", Train(gpus=4))
    assert line[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
    read = launch_command_parser().parse_args([*line[3:], "--store", "x", "--out", "y"])
    assert read.num_processes == 4 and read.use_fsdp and read.fsdp_version == "2"
    assert read.module and read.training_script == "lora.train"
    assert read.training_script_args == ["--store", "x", "--out", "y"]


def test_only_the_first_process_writes() -> None:
    assert is_main({}) and is_main({"RANK": "0", "WORLD_SIZE": "4"})
    assert not is_main({"RANK": "3", "WORLD_SIZE": "4"})
    assert processes({"RANK": "3", "WORLD_SIZE": "4"}) == (3, 4)
