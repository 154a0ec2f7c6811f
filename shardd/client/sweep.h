/*
 * Pings, deadlines and idle limits for all connections, without a timer each:
 * ten times a second those that are on their way, once a second the idle.
 */
#ifndef SHARDD_SWEEP_H
#define SHARDD_SWEEP_H

struct clients;
struct event;
struct event_base;

struct sweep {
	struct event	*timer;
	struct clients	*clients;
	void		(*tick)(void *arg);	/* ten times a second, last */
	void		*arg;
};

/* 0, or -1 with errno. */
int	 sweep_start(struct sweep *s, struct event_base *base,
	    struct clients *clients, void (*tick)(void *arg), void *arg);
void	 sweep_stop(struct sweep *s);

#endif
