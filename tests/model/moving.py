#!/usr/bin/python3
"""
The order of messages while connections move between the replicas of a group: a model of
its rules, under random schedules.

	moving.py SEEDS

Shards are joined by channels that keep their order; a table says which shards have a
uid, and answers late.  A client says casts (for all others) and whispers (for one), at
times with a lookup of where that one is.  From every sender every receiver must get all
that is for it, once and in order, and every move must come to an end.

With all rules no schedule may show a fault.  With any one of them left out some
schedule must: else that rule is not needed, or the model does not see what it is for.
"""
import collections
import random
import sys

RULES = {
    "fence": "a client moves when what it said was acted upon everywhere",
    "hold": "it is taken when the new replica has seen what the old one had",
    "log": "the new replica keeps what it hears from the expectation on",
    "marks": "of that, the client gets what is above the old one's numbers",
    "whispers": "no whisper for it is being looked up in the old replica",
    "late": "a whisper that was looked up is also for who joined meanwhile",
}

Message = collections.namedtuple("Message", "kind sender n target")


class Fault(Exception):
    """What a receiver would complain of."""


class Client:
    def __init__(self, uid, at):
        self.uid = uid
        self.at = at                    # its replica
        self.said = []                  # messages
        self.got = []                   # messages
        self.paused = self.moving = False
        self.looking = 0                # its whispers under lookup

    def wants(self, m):
        if m.kind == "cast":
            return m.sender != self.uid
        return m.target == self.uid


class Replica:
    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.said = 0                   # one number for each message fanned
        self.sent = collections.Counter()   # to each neighbour, the last said
        self.heard = collections.Counter()  # of each neighbour, the last that came
        self.seen = collections.Counter()   # the same, or as far as it has acted
        self.members = {}               # client: serial of its joining
        self.serial = 0
        self.lookups = []
        self.frozen = {}                # client: what comes while it travels
        self.expecting = 0
        self.log = []                   # (origin, number, message)
        self.log_start = {}

    def join(self, client):
        self.serial += 1
        self.members[client] = self.serial

    def give(self, client, m):
        self.frozen.get(client, client.got).append(m)

    def deliver(self, m, since=0):
        """To the members who joined after `since`."""
        for client, serial in list(self.members.items()):
            if serial > since and client.wants(m):
                self.give(client, m)

    def note(self, origin, number, m):
        self.seen[origin] = number
        if self.expecting:
            self.log.append((origin, number, m))

    def fan(self, m, where):
        self.said += 1
        self.note(self, self.said, m)
        for other in where:
            if other is not self:
                after, self.sent[other] = self.sent[other], self.said
                self.world.post("link", self, other, other.hear, self, after,
                                self.said, m)

    def hear(self, origin, after, number, m):
        if after != self.heard[origin] or number <= self.heard[origin]:
            raise Fault("a gap or a repeat on a link")
        self.heard[origin] = number
        self.note(origin, number, m)
        self.deliver(m)

    def say(self, client, m):
        self.deliver(m)
        if m.kind == "cast" or not self.world.lookup:
            self.fan(m, self.world.replicas)
        else:
            self.serial += 1
            self.world.spawn(self.look(client, m, self.serial))

    def look(self, client, m, since):
        """A whisper, whose receiver is to be found first."""
        client.looking += 1
        self.lookups.append(m)
        where = yield from self.world.ask_table(
            self, lambda table: set(table[m.target]))
        self.lookups.remove(m)
        self.fan(m, sorted(where, key=lambda r: r.name))
        if "late" in self.world.rules:
            self.deliver(m, since)
        client.looking -= 1

    def acted(self, origin, said):
        """DONE: the neighbour has acted upon all, and said no more than that."""
        self.seen[origin] = max(self.seen[origin], said)

    def fenced(self, asker, reply):
        """FENCE: answered when the lookups of this moment are over."""
        before = list(self.lookups)
        yield lambda: not any(m in self.lookups for m in before)
        self.world.post("link", self, asker, reply, self.said)

    def fence(self, others):
        """Ask others how far they are, and wait until all have answered."""
        left = set(others)

        def reply_of(other):
            def reply(said):
                self.acted(other, said)
                left.discard(other)
            return reply

        for other in others:
            self.world.post("link", self, other, self.world.spawn,
                            other.fenced(self, reply_of(other)))
        yield lambda: not left


class World:
    def __init__(self, seed, rules):
        self.rng = random.Random(seed)
        self.rules = rules
        self.lookup = seed % 2 == 0
        self.channels = collections.defaultdict(collections.deque)
        self.running = []               # (generator, condition)
        self.table = collections.defaultdict(set)
        self.replicas = [Replica(self, i)
                         for i in range(self.rng.randint(2, 4))]
        self.clients = [Client(uid, self.rng.choice(self.replicas))
                        for uid in range(self.rng.randint(2, 6))]
        for client in self.clients:
            client.at.join(client)
            self.table[client.uid].add(client.at)
        self.moved = 0

    # What takes time: a post in a channel, and whoever waits for a condition.

    def post(self, kind, sender, receiver, act, *args):
        self.channels[kind, sender.name, receiver.name].append((act, args))

    def travel(self, kind, sender, receiver):
        arrived = []
        self.post(kind, sender, receiver, arrived.append, 1)
        yield lambda: arrived

    def ask_table(self, replica, question):
        """The answer of the table, there and back."""
        yield from self.travel("asked", replica, replica)
        answer = question(self.table)
        yield from self.travel("answered", replica, replica)
        return answer

    def spawn(self, generator):
        try:
            self.running.append((generator, next(generator)))
        except StopIteration:
            pass

    def resume(self, entry):
        self.running.remove(entry)
        self.spawn(entry[0])

    # Moves.

    def move(self, client, new):
        old, rules = client.at, self.rules
        client.moving = True
        yield from self.travel("ferry", old, new)           # EXPECT
        if new.expecting == 0:
            new.log, new.log_start = [], new.seen.copy()
        new.expecting += 1
        yield from self.ask_table(
            new, lambda table: table[client.uid].add(new))
        yield from self.travel("ferry", new, old)           # EXPECTED
        client.paused = True
        yield lambda: client.looking == 0
        if "fence" in rules:
            yield from old.fence([r for r in self.replicas if r is not old])
        if "whispers" in rules:
            yield lambda: not any(m.target == client.uid for m in old.lookups)
        old.frozen[client] = []
        marks = old.seen.copy()
        yield from self.travel("ferry", old, new)           # ADOPT
        behind = [r for r in self.replicas if new.seen[r] < marks[r]]
        if "hold" in rules and behind:
            yield from new.fence([r for r in behind if r is not new])
            yield lambda: all(new.seen[r] >= marks[r] for r in behind)
        refused = self.rng.random() < 0.15
        if not refused:
            self.adopt(client, new, marks)
        new.expecting -= 1
        yield from self.travel("ferry", new, old)       # ADOPTED or REFUSED
        gathered = old.frozen.pop(client)
        if refused:
            client.got += gathered
            client.paused = False
        else:
            del old.members[client]
            self.moved += 1
        left = new if refused else old
        yield from self.ask_table(
            left, lambda table: table[client.uid].discard(left))
        client.moving = False

    def adopt(self, client, new, marks):
        if any(new.log_start[r] > marks[r] for r in self.replicas):
            raise Fault("the log begins too late")
        for origin, number, m in new.log if "log" in self.rules else []:
            if (number > marks[origin] or "marks" not in self.rules) and \
               client.wants(m):
                client.got.append(m)
        new.join(client)
        client.at = new
        client.paused = False

    # One schedule.

    def say(self, client):
        others = [c.uid for c in self.clients if c is not client]
        kind = self.rng.choice(("cast", "whisper"))
        m = Message(kind, client.uid, len(client.said),
                    self.rng.choice(others) if kind == "whisper" else None)
        client.said.append(m)
        client.at.say(client, m)

    def deliver_next(self, channel):
        act, args = channel.popleft()
        act(*args)

    def possible(self, talk):
        """What can happen next, the passing of messages and of moves more often."""
        acts = []
        if talk:
            acts = [(self.say, c) for c in self.clients
                    if c.looking == 0 and not c.paused]
        acts += [(self.deliver_next, q) for q in self.channels.values() if q] * 2
        acts += [(self.resume, e) for e in self.running if e[1]()] * 3
        return acts

    def step(self, talk):
        acts = self.possible(talk)
        if acts:
            act, arg = self.rng.choice(acts)
            act(arg)
        return bool(acts)

    def begin_move(self):
        client, new = self.rng.choice(self.clients), self.rng.choice(self.replicas)
        if not client.moving and client.at is not new:
            self.spawn(self.move(client, new))

    def run(self):
        for _ in range(self.rng.randint(60, 250)):
            if self.rng.random() < 0.12:
                self.begin_move()
            self.step(talk=True)
        while self.step(talk=False):
            pass
        if self.running:
            raise Fault("stuck")
        for receiver in self.clients:
            self.check(receiver)

    def check(self, receiver):
        for sender in self.clients:
            want = [m for m in sender.said if receiver.wants(m)]
            have = [m for m in receiver.got if m.sender == sender.uid]
            if want == have:
                continue
            if set(have) < set(want):
                raise Fault("lost")
            raise Fault("doubled" if len(have) > len(want) else "order")


def fault_of(seed, rules):
    """The fault of one schedule, or None; and how many moves it had."""
    world = World(seed, rules)
    try:
        world.run()
    except Fault as fault:
        return str(fault), world.moved
    return None, world.moved


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) == 2 else 300
    bad, moved = 0, 0
    for seed in range(seeds):
        fault, moves = fault_of(seed, set(RULES))
        moved += moves
        if fault is not None:
            bad += 1
            print(f"seed {seed}: {fault}")
    print(f"all rules: {seeds} schedules, {moved} moves, {bad} with a fault")
    if moved == 0:
        bad += 1
        print("nothing has moved")
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
