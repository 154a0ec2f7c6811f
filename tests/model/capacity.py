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
# socket on their way (scripts/bench whisper-nodes-2).  And what a node and a shard cost a
# second that do nothing: commands that come one at a time (2 and 4 nodes of 1 and 4 shards).
PUBLISH, DELIVER, ROLL, SHARED = 0.46, 0.2, 4.3, 0.081
NODE, SHARD = 70, 160


# How much is asked of Redis: system/test_cluster_model.py counts it on real nodes.

def publishes(nodes):
    """Of a broadcast in a group that is on so many nodes: one for each but its own."""
    return nodes - 1


def deliveries(nodes, shards):
    """To shards that have somebody in it, so many of each node."""
    return publishes(nodes) * shards


def echoes(nodes, shards):
    """PUBLISHes a second, by which shards see how far behind Redis is."""
    return nodes * shards


def subscriptions(nodes, shards, replicas):
    """Each shard's own, and one of each replica of a node."""
    return nodes * (shards + replicas)


def broadcast(nodes):
    """Microseconds of Redis, of one in a group that is in all shards of so many nodes."""
    return publishes(nodes) * PUBLISH + deliveries(nodes, SHARDS) * DELIVER


def alone(nodes):
    """Seconds of Redis' CPU a second, of nodes that only live."""
    return nodes * (nodes * ROLL + NODE + SHARDS * SHARD) / 1e6


def row(nodes):
    beats = alone(nodes)
    room = (1 - beats) * 1e6                    # microseconds a second are left
    here = broadcast(4)
    everywhere = broadcast(nodes)
    whisper = 2 * (PUBLISH + DELIVER)           # to both others, which are asked
    channels = subscriptions(nodes, SHARDS, GROUPS * 3)

    def rate(cost):
        return "none" if room <= 0 else f"{round(room / cost, -2):,.0f}"
    return (f"| {nodes} | {nodes} | {beats * 100:.3g} % | {channels:,} | "
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
