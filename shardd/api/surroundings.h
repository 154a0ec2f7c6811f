/*
 * What an application finds around itself: kennel.h's functions are called without
 * saying in which worker, for there is one a process.  worker.c says it once.
 */
#ifndef SHARDD_SURROUNDINGS_H
#define SHARDD_SURROUNDINGS_H

#include <stdint.h>

struct event_base;
struct groups;
struct options;
struct sessions;

struct surroundings {
	struct event_base *base;
	const struct options *opt;
	const struct groups *groups;
	struct sessions	*sessions;
	const char	*node, *address;	/* empty before WELCOME */
	uint32_t	 slot;
};

extern const struct surroundings *surroundings;

#endif
