#!/usr/bin/env python3
"""Runs conv_bench and prints, as a table in Markdown, how many times faster than a baseline each layer and width is.

    bench/ratios.py build/release/bench/conv_bench              the kernel the runtime chooses, over oneDNN's int8
    bench/ratios.py .../conv_bench --tiers avx512vnni avx2      with both sides capped to each tier: README's tables
    bench/ratios.py .../conv_bench --kernel dot_avx2_6x16       one kernel, where it runs
    ONEDNN_MAX_CPU_ISA=AVX512_CORE_AMX bench/ratios.py ...      oneDNN capped elsewhere than we are

All of a layer's benchmarks run interleaved, several times: a ratio is between medians of one process.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys

WIDTHS = ["w1a1", "w1a2", "w2a2", "w4a4", "w8a8"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("conv_bench")
    parser.add_argument("--baseline", default="u8s8/onednn", choices=["u8s8/onednn", "qc8/xnnpack", "f32/xnnpack"])
    parser.add_argument("--kernel", default="chosen", help="the last part of the benchmarks' names")
    parser.add_argument("--tiers", nargs="+", default=[None], metavar="TIER", help="as in TIDBIT_ISA; a table each")
    parser.add_argument("--layers", default="", help="a regular expression of layers")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--min-time", type=float, default=0.05, help="seconds of each repetition")
    parser.add_argument("--fastest", action="store_true", help="the fastest repetitions instead of the medians")
    return parser.parse_args()


def capped(tier):
    return os.environ if tier is None else os.environ | {"TIDBIT_ISA": tier}


def layers_of(args):
    listing = subprocess.run([args.conv_bench, "--benchmark_list_tests", f"--benchmark_filter=conv/.*({args.layers})"],
                             check=True, capture_output=True, text=True).stdout.split()
    return list(dict.fromkeys(name.split("/")[1] for name in listing))


def measured(args, layer, tier):
    """The context, {"width/kernel": [seconds]} and the baseline's best GOPS."""
    pattern = f"^conv/{layer}/({args.baseline}|w[0-9]a[0-9]/{args.kernel})$"
    run = subprocess.run([args.conv_bench, f"--benchmark_filter={pattern}", "--benchmark_format=json",
                          f"--benchmark_repetitions={args.repetitions}", f"--benchmark_min_time={args.min_time}",
                          "--benchmark_enable_random_interleaving=true"],
                         check=True, capture_output=True, text=True, env=capped(tier))
    report = json.loads(run.stdout)
    times, gops = {}, 0
    for entry in report["benchmarks"]:
        if entry["run_type"] != "iteration":
            continue
        name = entry["run_name"].split("/", 2)[2]
        times.setdefault(name, []).append(entry["cpu_time"])
        if name == args.baseline:
            gops = max(gops, entry["GOPS"])
    return report["context"], times, gops


def processor():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def print_heading(args, context):
    library = args.baseline.split("/")[1]
    print(f"{processor()}, tier {context.get('isa')}, one thread, {context.get('compiler')}, "
          f"{library} {context.get(library)}; times faster, {'fastest' if args.fastest else 'medians'} of "
          f"{args.repetitions}; load {os.getloadavg()[0]:.1f}\n")
    print(f"| layer | {args.baseline} GOPS | " + " | ".join(WIDTHS) + " |")
    print("|---|---|" + "---|" * len(WIDTHS))


def print_table(args, tier):
    summary = min if args.fastest else statistics.median
    for index, layer in enumerate(layers_of(args)):
        context, times, gops = measured(args, layer, tier)
        if args.baseline not in times:
            sys.exit(f"ratios.py: {args.conv_bench} was built without {args.baseline.split('/')[1]}")
        if tier is not None and context.get("isa") != tier:
            sys.exit(f"ratios.py: this machine has no {tier}")
        if index == 0:
            print_heading(args, context)
        base = summary(times[args.baseline])
        cells = [f"{base / summary(times[f'{width}/{args.kernel}']):.2f}" if f"{width}/{args.kernel}" in times else ""
                 for width in WIDTHS]
        print(f"| {layer} | {gops:.0f} | " + " | ".join(cells) + " |", flush=True)


def main():
    args = arguments()
    for index, tier in enumerate(args.tiers):
        if index > 0:
            print()
        print_table(args, tier)


if __name__ == "__main__":
    main()
