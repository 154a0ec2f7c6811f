/* The pulse of a shard. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gatewayd/pulse.h"
#include "proto/page.h"

void
pulse_init(struct pulse *p)
{
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

int
pulse_begin(struct pulse *p, int fd, uint64_t incarnation)
{
	struct page_work	 work;

	pulse_end(p);
	p->incarnation = incarnation;
	if (fd == -1)
		return (0);
	if (page_check(fd) == -1 || page_read(fd, incarnation, &work) == -1) {
		close(fd);
		errno = EPROTO;
		return (-1);
	}
	p->fd = fd;
	return (0);
}

void
pulse_end(struct pulse *p)
{
	if (p->fd != -1)
		close(p->fd);
	pulse_init(p);
}

/* Look at the counter. */
static void
pulse_look(struct pulse *p, uint64_t now)
{
	struct page_work	 work;

	if (pulse_work(p, &work) == -1 || work.turns == p->turns)
		return;
	p->turns = work.turns;
	p->moved = now;
}

uint64_t
pulse_ask(struct pulse *p, uint64_t now)
{
	if (p->answered >= p->asked) {
		p->asked = now;
		pulse_look(p, now);
	}
	return (++p->id);
}

int
pulse_heard(struct pulse *p, uint64_t id, uint64_t now)
{
	if (id != p->id)
		return (0);
	p->answered = now;
	return (1);
}

void
pulse_excuse(struct pulse *p, uint64_t now)
{
	p->asked = now;
}

enum pulse_state
pulse_feel(struct pulse *p, uint64_t now, uint64_t late)
{
	uint64_t	 last;

	if (p->answered >= p->asked)
		return (PULSE_ANSWERED);
	pulse_look(p, now);
	last = p->moved > p->asked ? p->moved : p->asked;
	if (now - last >= late)
		return (PULSE_HUNG);
	if (now - p->asked >= PULSE_BUSY * late)
		return (PULSE_ENDLESS);
	return (now - p->asked >= late / 4 ? PULSE_DOUBTFUL : PULSE_AWAITED);
}

int
pulse_moved(struct pulse *p, uint64_t since, uint64_t now)
{
	pulse_look(p, now);
	return (p->moved > since);
}

int
pulse_work(const struct pulse *p, struct page_work *work)
{
	if (p->fd == -1) {
		errno = ENOENT;
		return (-1);
	}
	return (page_read(p->fd, p->incarnation, work));
}

int
pulse_counters(const struct pulse *p, struct counters *c)
{
	if (p->fd == -1) {
		errno = ENOENT;
		return (-1);
	}
	return (page_read_counters(p->fd, p->incarnation, c));
}
