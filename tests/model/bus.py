#!/usr/bin/python3
"""
The bus between nodes: a model of its rules, under random schedules.

	bus.py SEEDS

Redis keeps the order of one publisher towards one subscriber, and promises nothing else:
it delays, loses single messages, and loses a subscriber's connection with all that is
on its way.  Replicas of a group find each other by a set in Redis, greet each other
(sessions), and say casts (one PUBLISH for all) and whispers (one for the receiver), and
news of a state (as whispers).  In the end every receiver has, of every origin, all that
was said since the two met, once and in order, or was told of each loss before it heard
anything later; nobody was told of a loss where there was none; and all states agree.
A replica may take another for dead, which lives: what is said meanwhile is not said to it,
and it is told so.  Who judges is told at once (onlost), and has it all from there on.

With all rules no schedule may show a fault.  With any one of them left out some
schedule must: else that rule is not needed, or the model does not see what it is for.
"""
import collections
import random
import sys

RULES = {
    "confirmed": "a replica meets others only when its SUBSCRIBE is confirmed",
    "baseline": "who meets says how much it has said before",
    "prior": "a cast names the cast before it",
    "named": "a whisper names what its receiver was told before it",
    "dense": "what goes to one shard is numbered densely",
    "beat": "who has said something says how much, until that has come",
    "compare": "who meets afresh compares states",
    "back": "who takes one back that it took for dead says how much it has said",
}

Frame = collections.namedtuple("Frame", "kind origin target session echo n said "
                               "prior seq body")


class Fault(Exception):
    """What a receiver, or an operator, would complain of."""


class Peer:
    """What one replica knows of another."""
    def __init__(self):
        self.mine = self.theirs = 0             # sessions
        self.up = False
        self.met = False                        # it is a neighbour
        self.met_at = 0                         # what we had said then
        self.based = False                      # and its casts count from now on
        self.n_out = self.n_in = 0              # frames to it, from it
        self.told = self.seq_out = 0            # of what ours said
        self.seen = self.seq_in = 0             # of what it said
        self.waiting = []                       # (kind, said, body) until up
        self.marked = True


class Replica:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.peers = collections.defaultdict(Peer)
        self.said = self.cast = 0
        self.heard = collections.defaultdict(list)  # origin: numbers
        self.missed = collections.defaultdict(list)  # origin: (after, upto)
        self.since = {}                         # origin: said when they met
        self.judged = {}                        # who was taken for dead: met_at
        self.state = 0
        self.live = False
        self.subscribed = False

    # Redis.

    def publish(self, target, frame):
        self.world.publish(self, target, frame)

    def start(self):
        self.live = True
        self.world.subscribe(self)
        if "confirmed" not in self.world.rules:
            self.enter()

    def confirmed(self):
        self.subscribed = True
        self.enter()

    def enter(self):
        self.world.members.add(self)
        for other in sorted(self.world.members, key=lambda r: r.name):
            if other is not self:
                self.greet(other)

    def broken(self):
        """Its connection was lost, and is back: all meet afresh."""
        self.subscribed = False
        for peer in self.peers.values():
            peer.up = False
        self.world.subscribe(self)

    # Sessions.

    def greet(self, other):
        peer = self.peers[other]
        peer.up = False
        self.world.session += 1
        peer.mine = self.world.session
        peer.n_out = 0
        self.hello(other)

    def hello(self, other):
        peer = self.peers[other]
        self.send("hello", other, echo=peer.theirs, body=peer.up)

    def send(self, kind, other, said=0, prior=0, seq=0, body=None, echo=0):
        peer = self.peers[other]
        if kind not in ("hello", "beat"):
            peer.n_out += 1
        self.publish(other, Frame(kind, self, other, peer.mine, echo, peer.n_out,
                                  said, prior, seq, body))

    def got_hello(self, f):
        other, peer = f.origin, self.peers[f.origin]
        if f.session != peer.theirs:
            peer.theirs, peer.n_in = f.session, 0
            if peer.up or peer.mine == 0:
                self.greet(other)
                return
        if f.echo != peer.mine:
            self.hello(other)
            return
        was_up, peer.up = peer.up, True
        if not f.body:                          # it waits for this
            self.hello(other)
        if not was_up:
            self.is_up(other)

    def is_up(self, other):
        peer = self.peers[other]
        waiting, peer.waiting = peer.waiting, []
        for kind, said, prior, seq, body in waiting:
            self.send(kind, other, said, prior, seq, body)
        if peer.met:
            self.send("mark", other, said=peer.told, seq=peer.seq_out)
        self.send("join", other, said=self.said, seq=peer.seq_out)
        if "compare" in self.world.rules:
            self.send("news", other, body=self.state)

    def judge(self, other):
        """It is dead, as far as we know; if it lives, it hears that all is over."""
        peer = self.peers.pop(other)
        self.judged[other] = min(peer.met_at, self.judged.get(other, peer.met_at))
        self.greet(other)

    def met_at(self, other):
        """What we had said when we met first."""
        return self.judged.get(other, self.peers[other].met_at)

    # Saying.

    def whisper(self, other, kind="whisper"):
        peer = self.peers[other]
        self.said += 1
        peer.seq_out += 1
        prior, peer.told = peer.told, self.said
        peer.marked = False
        self.world.whispers[self, other].append(self.said)
        self.direct(other, kind, self.said, prior, peer.seq_out, None)

    def direct(self, other, kind, said, prior, seq, body):
        if "named" not in self.world.rules:
            prior = 0
        peer = self.peers[other]
        if peer.up:
            self.send(kind, other, said, prior, seq, body)
        else:
            peer.waiting.append((kind, said, prior, seq, body))

    def broadcast(self):
        met = [r for r in self.peers if self.peers[r].met]
        self.said += 1
        if all(self.peers[r].up and not self.peers[r].waiting for r in met):
            for r in met:
                self.peers[r].told = self.said
                self.peers[r].marked = False
            self.world.casts[self].append(self.said)
            if not met:                         # there is nobody to hear it
                self.unsaid()
                return
            prior = self.cast if "prior" in self.world.rules else 0
            self.cast = self.said
            self.publish(None, Frame("cast", self, None, 0, 0, 0, self.said,
                                     prior, 0, None))
            return
        for r in met:                           # each for itself
            peer = self.peers[r]
            peer.seq_out += 1
            prior, peer.told = peer.told, self.said
            peer.marked = False
            self.world.whispers[self, r].append(self.said)
            self.direct(r, "whisper", self.said, prior, peer.seq_out, None)
        self.unsaid()

    def unsaid(self):
        """It was not said in the room, where one may listen that was taken for dead."""
        if self.judged and "back" in self.world.rules:
            self.cast = self.said

    def step(self):
        self.world.value += 1
        self.state = self.world.value
        for r in [r for r in self.peers if self.peers[r].met]:
            self.direct(r, "news", 0, 0, 0, self.state)

    def beat(self, again=False):
        if "beat" not in self.world.rules:
            return
        for r, peer in self.peers.items():
            if not peer.up:
                if peer.mine:
                    self.hello(r)
            elif not peer.marked or again:
                self.send("beat", r, said=peer.told, seq=peer.seq_out)
                peer.marked = True

    # Hearing.

    def hear(self, f):
        if not self.live or f.origin is self:
            return
        if f.kind == "hello":
            self.got_hello(f)
            return
        peer = self.peers[f.origin]
        if f.kind == "cast":
            if peer.based and peer.up:      # else both will say what they had sent
                self.take(f, peer)
            return
        if f.session != peer.theirs or not peer.up:
            if f.session != peer.theirs:        # of an earlier session, or lost
                self.hello(f.origin) if peer.mine else self.greet(f.origin)
            return
        if f.kind != "beat" and "dense" in self.world.rules:
            peer.n_in += 1
        if f.n != peer.n_in and "dense" in self.world.rules:
            self.greet(f.origin)                # something is missing
            return
        self.take_direct(f, peer)

    def take_direct(self, f, peer):
        if not peer.met:
            peer.met, peer.met_at = True, self.said
            if f.origin in self.judged and "back" in self.world.rules:
                peer.told = self.cast = self.said
                self.send("mark", f.origin, said=peer.told, seq=peer.seq_out)
            if "compare" in self.world.rules:
                self.direct(f.origin, "news", 0, 0, 0, self.state)
        if f.kind == "join":
            if not peer.based:
                peer.based = True
                if "baseline" in self.world.rules:
                    peer.seen = max(peer.seen, f.said)
                self.since[f.origin] = f.said
                if f.origin in self.judged:     # onlost was told
                    self.missed[f.origin] = []
                    peer.seq_in = max(peer.seq_in, f.seq)
        elif f.kind in ("mark", "beat"):
            self.gap(f.origin, f.said, f.seq)
        elif f.kind == "news":
            self.state = max(self.state, f.body)
        else:
            self.take(f, peer)

    def gap(self, origin, said, seq):
        """All up to said, its message seq to us, should be here."""
        peer = self.peers[origin]
        if seq < peer.seq_in:                   # it has begun anew with us
            peer.seq_in = 0 if said > peer.seen else seq
        if said <= peer.seen and seq <= peer.seq_in:
            return
        # What is missing lies before said, and behind what was here by number.
        self.missed[origin].append((len(self.heard[origin]), peer.seen, said,
                                    max(0, seq - peer.seq_in)))
        peer.seen = max(peer.seen, said)
        peer.seq_in = max(peer.seq_in, seq)

    def take(self, f, peer):
        if f.said <= peer.seen:
            if f.kind == "cast":
                return                          # known before it was met
            raise Fault("a repeat")
        self.gap(f.origin, f.prior, f.seq - 1 if f.seq else peer.seq_in)
        peer.seen = max(peer.seen, f.said)
        peer.seq_in = max(peer.seq_in, f.seq)
        self.heard[f.origin].append(f.said)


class World:
    def __init__(self, seed, rules):
        self.rng = random.Random(seed)
        self.rules = rules
        self.lossy = seed % 4 != 0
        self.judging = seed % 4 == 1            # then connections are lost, as in Redis, only
        self.session = self.value = 0
        self.members, self.subscribers = set(), set()
        self.to_redis = collections.defaultdict(collections.deque)
        self.to_shard = collections.defaultdict(collections.deque)
        self.casts = collections.defaultdict(list)
        self.whispers = collections.defaultdict(list)
        self.replicas = [Replica(self, i) for i in range(self.rng.randint(2, 4))]
        self.lost = 0
        self.lossless = False

    def publish(self, origin, target, frame):
        self.to_redis[origin].append((target, frame))

    def subscribe(self, replica):
        """On its other connection."""
        self.to_redis[replica, "subscribe"].append(("subscribe", replica))

    def at_redis(self, origin):
        target, frame = self.to_redis[origin].popleft()
        if target == "subscribe":
            self.subscribers.add(frame)
            self.to_shard[frame].append(None)
            return
        for r in self.replicas:
            if target is None and r not in self.subscribers or \
               target not in (None, r):
                continue
            if self.lossy and not self.lossless and not self.judging and \
                    self.rng.random() < 0.04:
                self.lost += 1
                continue
            self.to_shard[r].append(frame)

    def at_shard(self, replica):
        frame = self.to_shard[replica].popleft()
        if frame is None:
            replica.confirmed()
        else:
            replica.hear(frame)

    def cut(self, replica):
        """Redis drops a slow subscriber."""
        if replica in self.subscribers:
            self.subscribers.discard(replica)
            self.to_shard[replica].clear()
            replica.broken()

    def act(self, replica):
        met = [r for r in replica.peers if replica.peers[r].met]
        kind = self.rng.random()
        if not replica.live:
            if kind < 0.3:
                replica.start()
        elif kind < 0.4:
            replica.broadcast()
        elif kind < 0.75 and met:
            replica.whisper(self.rng.choice(met))
        elif kind < 0.8 and replica is self.replicas[0]:
            replica.step()
        elif kind < 0.95:
            replica.beat()
        elif self.judging and not self.lossless and met and kind < 0.97:
            replica.judge(self.rng.choice(met))
        elif self.lossy and not self.lossless:
            self.cut(replica)

    def step(self, talk):
        acts = [(self.act, r) for r in self.replicas] if talk else []
        acts += [(self.at_redis, r) for r, q in self.to_redis.items() if q] * 3
        acts += [(self.at_shard, r) for r, q in self.to_shard.items() if q] * 3
        if acts:
            act, arg = self.rng.choice(acts)
            act(arg)
        return bool(acts)

    def settle(self):
        for _ in range(4000):
            if not self.step(talk=False):
                return
        raise Fault("never at rest")

    def run(self):
        for _ in range(self.rng.randint(80, 400)):
            self.step(talk=True)
        self.lossless = True
        for r in self.replicas:
            if not r.live:
                r.start()
        for _ in range(6):
            self.settle()
            for r in self.replicas:
                r.beat(again=True)
        self.settle()
        for receiver in self.replicas:
            for origin in self.replicas:
                if receiver is not origin:
                    self.check(origin, receiver)

    def check(self, origin, receiver):
        peer = receiver.peers[origin]
        if not (peer.met and peer.based and peer.up):
            raise Fault("not met")
        since = max(receiver.since[origin], origin.met_at(receiver))
        heard = receiver.heard[origin]
        if heard != sorted(set(heard)):
            raise Fault("order")
        exact = origin not in receiver.judged and receiver not in origin.judged
        direct = [n for n in self.whispers[origin, receiver]
                  if exact or n > receiver.since[origin]]
        want = sorted([n for n in self.casts[origin] if n > since] + direct)
        told = receiver.missed[origin]
        losses = set(want) - set(heard)
        direct = set(direct)
        if exact and len(losses & direct) != sum(t[3] for t in told):
            raise Fault("whispers lost without a word")
        if not exact and any(all(upto < n for _, _, upto, _ in told)
                             for n in losses & direct):
            raise Fault("whispers lost without a word")
        for n in sorted(losses - direct):
            # Told before anything later was heard, with bounds that say so.
            if not any(after < n <= upto and all(h <= after for h in heard[:i])
                       for i, after, upto, _ in told):
                raise Fault("casts lost without a word")
        if self.lost == 0 and not self.lossy and told:
            raise Fault("told of a loss where there was none")
        if set(heard) - set(want) - set(self.casts[origin]) - \
                set(self.whispers[origin, receiver]):
            raise Fault("heard what it should not")
        if receiver.state != self.value:
            raise Fault("states differ")


def fault_of(seed, rules):
    """The fault of one schedule, or None; and how many messages Redis lost."""
    world = World(seed, rules)
    try:
        world.run()
    except Fault as fault:
        return str(fault), world.lost
    return None, world.lost


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) == 2 else 300
    bad, lost = 0, 0
    for seed in range(seeds):
        fault, n = fault_of(seed, set(RULES))
        lost += n
        if fault is not None:
            bad += 1
            print(f"seed {seed}: {fault}")
    print(f"all rules: {seeds} schedules, {lost} messages lost by Redis, "
          f"{bad} with a fault")
    if lost == 0:
        bad += 1
        print("nothing was lost")
    for rule, text in RULES.items():
        for seed in range(seeds):
            fault, _ = fault_of(seed, set(RULES) - {rule})
            if fault is not None:
                print(f"without {rule} ({text}): seed {seed}: {fault}")
                break
        else:
            bad += 1
            print(f"without {rule} ({text}): no fault was found")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
