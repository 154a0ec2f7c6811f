/*
 * Succession: the gateway's own program is replaced by the one that stands at its path
 * now, and nobody notices.  First the new program is tried, with its arguments and the
 * configuration; then nobody is accepted until those on their way to shards have come
 * there; then it is executed in this process, and inherits (heritage.h).  Until then
 * everything can stay as it is.
 */
#ifndef GATEWAYD_SUCCESSION_H
#define GATEWAYD_SUCCESSION_H

#include <stddef.h>

struct event_base;
struct succession;

struct succession_ops {
	/* Accept nobody for now, or go on (0). */
	void	(*pause)(int on, void *arg);
	/* Is nothing under way that could not be left to another program? */
	int	(*settled)(void *arg);
	/* Execute; returns only if that failed, with errno. */
	void	(*execute)(void *arg);
};

/* NULL with errno. */
struct succession *succession_new(struct event_base *base,
	    const struct succession_ops *ops, void *arg);
void	 succession_free(struct succession *s);	/* s may be NULL */
/* 0, or -1 with a sentence in why. */
int	 succession_begin(struct succession *s, char *why, size_t size);
/* "none", "trying", "settling"; why the last one failed, or "". */
const char *succession_phase(const struct succession *s);
const char *succession_fault(const struct succession *s);

#endif
