/*
 * The pulse of a shard: what it answers when it is asked, and, while it does not,
 * the counter in its page (proto/page.h), which grows as long as the shard gets
 * on with its work.  Times are clock_ms.
 */
#ifndef GATEWAYD_PULSE_H
#define GATEWAYD_PULSE_H

#include <stdint.h>

struct counters;
struct page_work;

/* So many times the watchdog's time may a shard work and not answer. */
#define PULSE_BUSY	6

struct pulse {
	int		 fd;		/* of its page; -1: it has none */
	uint64_t	 incarnation;
	uint64_t	 id;		/* of the last question */
	uint64_t	 asked;		/* the oldest that was not answered */
	uint64_t	 answered;
	uint64_t	 turns;		/* the counter, as seen last */
	uint64_t	 moved;		/* when it was seen to have grown */
};

enum pulse_state {
	PULSE_ANSWERED,		/* all that it was asked */
	PULSE_AWAITED,
	PULSE_DOUBTFUL,		/* for a quarter of the time: do not wait for it */
	PULSE_HUNG,		/* it neither answers nor gets on */
	PULSE_ENDLESS		/* it gets on, and has not answered for too long */
};

void	 pulse_init(struct pulse *p);
/* A shard said hello: fd is its page (taken, also if it is none), or -1.  0, or -1
 * with errno EPROTO: fd is no page, and there is none. */
int	 pulse_begin(struct pulse *p, int fd, uint64_t incarnation);
void	 pulse_end(struct pulse *p);	/* the shard is dead */

/* The id of a question that is sent now. */
uint64_t pulse_ask(struct pulse *p, uint64_t now);
/* Is id that of the last question? */
int	 pulse_heard(struct pulse *p, uint64_t id, uint64_t now);
/* We slept: its answer may not have been read yet. */
void	 pulse_excuse(struct pulse *p, uint64_t now);
/* late: the watchdog's time, ms. */
enum pulse_state pulse_feel(struct pulse *p, uint64_t now, uint64_t late);
/* Has it been seen to get on since then?  As of now. */
int	 pulse_moved(struct pulse *p, uint64_t since, uint64_t now);
/* What its page says.  0, or -1 with errno: it has none, or a wrong one. */
int	 pulse_work(const struct pulse *p, struct page_work *work);
/* What its page counts: likewise. */
int	 pulse_counters(const struct pulse *p, struct counters *c);

#endif
