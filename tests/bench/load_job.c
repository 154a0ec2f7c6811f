/*
 * What the connections of one process do in each mode, and what must arrive:
 * every message once, in order, whole, and nothing else.  A message's text is
 * "<number of the sender> <sequence> " and padding; a whisper has its target's
 * number before.
 *
 * A crowd says two kinds: "* <sender> 1 " to everybody, whispers with one
 * sequence for all; members are heard in whatever process they are.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define STALL_MS	10000
#define QUIET_MS	100		/* that nothing more has come in */
#define OPENING		32		/* handshakes at a time */

static struct conn	*conns;
static unsigned		 first, nconns, nup;
static uint64_t		 quota;		/* messages a sender has to send */
static uint64_t		 goal, done;	/* messages that must arrive here */
static unsigned		*missing;	/* fan: receivers, of opt.flight messages */
					/* of each group */
static struct conn	**due;		/* who has something to send */
static unsigned		 ndue;

/* One write for all that a read made due. */
void
job_pay(void)
{
	while (ndue > 0) {
		struct conn	*c = due[--ndue];

		while (c->due > 0) {
			char	 head[64];
			int	 n;

			c->due--;
			if (opt.mode == WHISPER)
				n = sprintf(head, "%u %u %llu ",
				    c->number + nconns / 2, c->number,
				    (unsigned long long)++c->sent);
			else
				n = sprintf(head, "%u %llu ", c->number,
				    (unsigned long long)++c->sent);
			c->at[c->sent % opt.flight] = now_ns();
			conn_say(c, head, (size_t)n);
		}
		conn_flush(c);
	}
}

static void
job_turn(void)
{
	if (conns_turn(STALL_MS) == 0)
		fail("nothing for %d s: %llu of %llu messages arrived",
		    STALL_MS / 1000, (unsigned long long)done,
		    (unsigned long long)goal);
}

/* c may send n more, of what it has to. */
static void
job_due(struct conn *c, uint64_t n)
{
	if (n > quota - c->sent - c->due)
		n = quota - c->sent - c->due;
	if (n > 0 && c->due == 0)
		due[ndue++] = c;
	c->due += n;
}

/* ---- the connections ---- */

static unsigned
members(void)
{
	return (opt.conns / opt.groups);
}

static int
is_sender(const struct conn *c)
{
	switch (opt.mode) {
	case ECHO:
		return (1);
	case FAN:
		return (c->number % members() == 0);
	case WHISPER:
		return (c->number - first < nconns / 2);
	default:
		return (0);
	}
}

void
job_open(unsigned from, unsigned to)
{
	first = from, nconns = to - from;
	conns = calloc(nconns, sizeof(*conns));
	due = calloc(nconns, sizeof(*due));
	missing = calloc((size_t)(opt.groups + 1) * opt.flight,
	    sizeof(*missing));
	for (unsigned i = 0; i < nconns; i++) {
		struct conn	*c = &conns[i];

		c->number = first + i;
		if (is_sender(c))
			c->at = calloc(opt.flight, sizeof(*c->at));
		c->deaf = is_sender(c) && (opt.sender_path != NULL ||
		    (opt.ape && opt.mode == FAN));	/* answers */
		if (opt.mode == CONNECT)
			continue;
		conn_open(c, first + i);
		while (nup + OPENING <= i)
			job_turn();
	}
	while (nup < nconns && opt.mode != CONNECT)
		job_turn();
}

void
job_close(void)
{
	for (unsigned i = 0; i < nconns; i++) {
		if (conns[i].up)
			conn_close(&conns[i]);
		free(conns[i].at);
	}
	free(conns);
	free(due);
	free(missing);
}

void
job_up(struct conn *c)
{
	nup++;
	if (opt.ape && opt.mode == FAN && !is_sender(c))
		conn_subscribe(c);
	if (opt.mode != CONNECT)
		return;
	sample(now_ns() - c->opened_at);
	conn_close(c);
	if (++done + nconns <= goal)
		conn_open(c, c->number);
}

/* ---- running ---- */

/* This process's part of the messages of all. */
static uint64_t
share(uint64_t all)
{
	return (all * (first + nconns) / opt.conns - all * first / opt.conns);
}

/* Others may hear what is said here, so no event is news, too. */
static void
crowd_turn(void)
{
	static uint64_t	 heard, since;

	conns_turn(1);
	if (shared->heard != heard || since == 0)
		heard = shared->heard, since = now_ns();
	else if (now_ns() - since > STALL_MS * 1000000ull)
		fail("%llu of %llu whispers arrived",
		    (unsigned long long)heard,
		    (unsigned long long)opt.messages);
}

static void
crowd_run(int whispers)
{
	struct conn	*c;
	char		 head[64];
	uint64_t	 left, id;
	unsigned	 to;
	int		 n;

	if (!whispers) {
		goal = nconns - (first == 0);
		if (first == 0) {
			shared->cast_at = now_ns();
			conn_say(&conns[0], "* 0 1 ", 6);
			conn_flush(&conns[0]);
		}
		while (done < goal)
			job_turn();
		return;
	}
	for (left = share(opt.messages); left > 0; left--) {
		while (shared->said - shared->heard >= opt.flight)
			crowd_turn();
		id = atomic_fetch_add(&shared->said, 1);
		to = (unsigned)(lrand48() % opt.conns);
		c = &conns[(unsigned)lrand48() % nconns];
		if (to == c->number)	/* a whisper to oneself goes nowhere */
			to = (to + 1) % opt.conns;
		n = sprintf(head, "%u %u %llu ", to, c->number,
		    (unsigned long long)id);
		shared->whisper[id].at = now_ns();
		conn_say(c, head, (size_t)n);
		conn_flush(c);
	}
	while (shared->heard < opt.messages)
		crowd_turn();
}

void
job_run(int run)
{
	switch (opt.mode) {
	case ECHO:
		quota = opt.messages / opt.conns, goal = quota * nconns;
		break;
	case WHISPER:
		quota = opt.messages / (opt.conns / 2);
		goal = quota * (nconns / 2);
		break;
	case FAN:
		quota = opt.messages;
		goal = quota * (nconns - nconns / members());
		for (unsigned i = 0; i < opt.groups * opt.flight; i++)
			missing[i] = members() - 1;
		break;
	case CONNECT:
		goal = share(opt.messages);
		if (goal < nconns)
			goal = nconns;
		for (unsigned i = 0; i < nconns; i++)
			conn_open(&conns[i], first + i);
		break;
	case CROWD:
		crowd_run(run);
		return;
	default:
		return;
	}
	for (unsigned i = 0; i < nconns; i++)
		if (is_sender(&conns[i]))
			job_due(&conns[i], opt.flight);
	job_pay();
	while (done < goal)
		job_turn();
	atomic_fetch_add(&shared->done, done);
}

void
job_quiet(int run)
{
	uint64_t	 want;

	while (conns_turn(QUIET_MS) > 0)
		continue;
	if (opt.mode == CROWD && run == 1)
		for (uint64_t i = 0; i < opt.messages; i++)
			if (shared->whisper[i].times != 1)
				fail("whisper %llu arrived %u times",
				    (unsigned long long)i,
				    shared->whisper[i].times);
	for (unsigned i = 0; i < nconns; i++) {
		struct conn	*c = &conns[i];

		want = opt.mode == CROWD ? c->number != 0 :
		    opt.mode == ECHO ||
		    ((opt.mode == FAN || opt.mode == WHISPER) &&
		    !is_sender(c)) ? quota : 0;
		if (c->got != want)
			fail("connection %u: %llu messages arrived, not %llu",
			    c->number, (unsigned long long)c->got,
			    (unsigned long long)want);
	}
}

/* ---- messages that arrive ---- */

/* A number and the space behind it; moves *p. */
static uint64_t
number(const char **p, const char *end)
{
	uint64_t	 v = 0;

	while (*p < end && isdigit((unsigned char)**p))
		v = v * 10 + (uint64_t)(*(*p)++ - '0');
	if (*p < end && **p == ' ')
		++*p;
	return (v);
}

static void
crowd_got(struct conn *c, const char *text, size_t len)
{
	const char	*p = text, *end = text + len;
	uint64_t	 id, to, at;

	if (len >= 6 && memcmp(text, "* 0 1 ", 6) == 0) {
		if (++c->got != 1)
			fail("connection %u: the broadcast arrived %llu times",
			    c->number, (unsigned long long)c->got);
		if (!conn_padded(text, 6, len))
			fail("connection %u: not what was sent", c->number);
		done++;
		sample(now_ns() - shared->cast_at);
		atomic_fetch_add(&shared->done, 1);
		return;
	}
	to = number(&p, end);
	(void)number(&p, end);
	id = number(&p, end);
	if (to != c->number || id >= opt.messages ||
	    !conn_padded(text, (size_t)(p - text), len))
		fail("connection %u: not what was sent: %.*s", c->number,
		    len < 40 ? (int)len : 40, text);
	if (atomic_fetch_add(&shared->whisper[id].times, 1) != 0)
		fail("whisper %llu is doubled", (unsigned long long)id);
	at = shared->whisper[id].at;
	sample(now_ns() - at);
	atomic_fetch_add(&shared->done, 1);
	atomic_fetch_add(&shared->heard, 1);
}

static struct conn *
sender_of(struct conn *c)
{
	switch (opt.mode) {
	case FAN:
		return (c - c->number % members());
	case WHISPER:
		return (c - nconns / 2);
	default:
		return (c);
	}
}

void
job_got(struct conn *c, const char *text, size_t len)
{
	const char	*p = text, *end = text + len;
	struct conn	*s;
	uint64_t	 to, from, seq, slot;

	if (c->deaf)
		return;
	if (opt.mode == CROWD) {
		crowd_got(c, text, len);
		return;
	}
	if (opt.mode != ECHO && is_sender(c))
		fail("connection %u: a sender heard something", c->number);
	s = sender_of(c);
	to = opt.mode == WHISPER ? number(&p, end) : c->number;
	from = number(&p, end);
	seq = number(&p, end);
	if (to != c->number || from != s->number ||
	    !conn_padded(text, (size_t)(p - text), len))
		fail("connection %u: not what was sent: %.*s", c->number,
		    len < 40 ? (int)len : 40, text);
	if (opt.ape && opt.mode == FAN && c->got == 0 && seq > 1)
		return;			/* the last one of an earlier run */
	if (seq != ++c->got)
		fail("connection %u: message %llu as number %llu: %s",
		    c->number, (unsigned long long)seq,
		    (unsigned long long)c->got,
		    seq < c->got ? "doubled or disordered" : "one is lost");
	done++;
	slot = seq % opt.flight;
	if (opt.mode == FAN) {
		unsigned	*m = &missing[s->number / members() *
				    opt.flight + slot];

		if (--*m > 0)
			return;
		*m = members() - 1;
	}
	sample(now_ns() - s->at[slot]);
	job_due(s, 1);
}
