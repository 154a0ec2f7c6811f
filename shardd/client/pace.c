/* How fast a client's machine takes what it is owed. */
#include <sys/socket.h>

#include <netinet/in.h>

#include <linux/tcp.h>

#include <stddef.h>

#include "common/sock.h"
#include "proto/limits.h"
#include "shardd/client/conn.h"
#include "shardd/client/pace.h"

#define PACE_TICK	(PACE_LEAST / 10)	/* bytes in a tenth of a second */
#define PACE_EVERY	10			/* ticks between two looks */

size_t
pace_owed(const struct conn *c)
{
	return (outbox_queued(&c->out) + sock_unsent(c->fd));
}

/*
 * Bytes that c's machine has taken, of which only differences mean something, and
 * those that it is owed.  Who has no TCP has taken what is missing from owed, and
 * seems to take nothing while more is said.
 */
static uint32_t
pace_taken(const struct conn *c, uint32_t *owed)
{
	struct tcp_info	 info = { 0 };
	socklen_t	 len = sizeof(info);

	*owed = (uint32_t)pace_owed(c);
	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == -1 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_acked) +
	    sizeof(info.tcpi_bytes_acked))
		return (0 - *owed);
	return ((uint32_t)info.tcpi_bytes_acked);
}

/* How many of the bytes between two numbers of pace_taken() there are; none, if the
 * second is less. */
static uint32_t
pace_between(uint32_t from, uint32_t to)
{
	return ((int32_t)(to - from) > 0 ? to - from : 0);
}

void
pace_mark(struct conn *c)
{
	struct rare_pace	 p = { .set = 1, .at = conn_tick() };
	uint32_t		 owed;

	if (pace_owed(c) == 0) {	/* as nearly always when one is pinged */
		if (c->rare != NULL)
			c->rare->pace.set = 0;
		return;
	}
	p.taken = pace_taken(c, &owed);
	p.end = p.taken + owed;
	(void)rare_set_pace(&c->rare, &p);
}

/* The mark of c, or NULL. */
static struct rare_pace *
pace_of(const struct conn *c)
{
	return (c->rare == NULL || !c->rare->pace.set ? NULL : &c->rare->pace);
}

enum pace
pace_since_mark(struct conn *c)
{
	struct rare_pace	*p = pace_of(c);
	uint32_t		 owed, taken, n, ticks;

	if (p == NULL)
		return (pace_owed(c) == 0 ? PACE_ALL : PACE_SLOW);
	taken = pace_taken(c, &owed);
	if (owed == 0 || (int32_t)(taken - p->end) >= 0)
		return (PACE_ALL);
	n = pace_between(p->taken, taken);
	ticks = conn_tick() - p->at;
	p->taken = taken;
	p->at = conn_tick();
	return (n / PACE_TICK >= ticks ? PACE_GOOD : PACE_SLOW);
}

uint32_t
pace_follow(struct conn *c)
{
	struct rare_pace	*p = pace_of(c);
	uint32_t		 now = conn_tick(), age = now - c->since, was, n;

	if (p != NULL && now - p->at < PACE_EVERY)
		return (p->end - p->taken);
	/* What was taken before c->since was enough until then. */
	if (p == NULL || (int32_t)(c->since - p->at) > 0) {
		pace_mark(c);
		/* One that has just moved here is looked at twice, too. */
		if (pace_of(c) != NULL && age > PACE_EVERY)
			c->since = now - PACE_EVERY;
	} else {
		was = p->taken;
		pace_mark(c);
		n = pace_between(was, p->taken) / PACE_TICK;
		c->since += n < age ? n : age;
	}
	p = pace_of(c);
	return (p == NULL ? 0 : p->end - p->taken);
}
