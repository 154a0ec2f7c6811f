#!/usr/bin/python3
"""
What one Redis carries for a cluster, and where it ends: a model of its work, from costs
that were measured, printed as README.md has it.

	capacity.py [README]

With README, ends with 1 unless each line of the table stands in there.
"""
import sys

SHARDS = 8                  # of a node
GROUPS = 1000               # of a node, each on two other nodes as well

# Microseconds of Redis' one core, measured with Redis 7.0 on the machine of README.md while
# that had other work: a PUBLISH of 150 bytes, 64 in a read, and each subscriber that gets
# it; one node's line in the roll call; a whisper of those that share a frame, 64 of a
# socket on their way (scripts/bench whisper-nodes-2).
PUBLISH, DELIVER, ROLL, SHARED = 0.46, 0.2, 4.3, 0.081


def row(nodes):
    beats = nodes * nodes * ROLL / 1e6          # seconds of CPU a second
    room = (1 - beats) * 1e6                    # microseconds a second are left
    here = 3 * (PUBLISH + 8 * DELIVER)          # to a group on four nodes
    everywhere = (nodes - 1) * (PUBLISH + SHARDS * DELIVER)
    whisper = 2 * (PUBLISH + DELIVER)           # to both others, which are asked
    subscriptions = nodes * (SHARDS + GROUPS * 3)

    def rate(cost):
        return "none" if room <= 0 else f"{round(room / cost, -2):,.0f}"
    return (f"| {nodes} | {nodes} | {beats * 100:.3g} % | {subscriptions:,} | "
            f"{rate(whisper)} | {rate(2 * SHARED)} | {rate(here)} | {rate(everywhere)} |")


def main():
    lines = [row(n) for n in (10, 100, 1000)]
    print("\n".join(lines))
    if len(sys.argv) < 2:
        return 0
    with open(sys.argv[1]) as f:
        text = f.read()
    return any(line not in text for line in lines)


if __name__ == "__main__":
    sys.exit(main())
