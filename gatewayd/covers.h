/*
 * The gateway's own copies of the descriptors of open connections that shards serve,
 * each kept with the connection's place: when the shard dies, a connection that is so
 * covered does not end with it.  Nobody reads a copy, writes to it or waits for it.
 */
#ifndef GATEWAYD_COVERS_H
#define GATEWAYD_COVERS_H

#include <stddef.h>

struct place;
struct placement;
struct settings;

/* How many there may be: what these settings leave of this process's descriptors. */
size_t	 covers_room(const struct settings *set, size_t descriptors);
/* From now on at most so many; those that there are stay. */
void	 covers_allow(struct placement *p, size_t most);
/* Is any wanted at all? */
int	 covers_wanted(const struct placement *p);
/* Keep fd (taken) for a place: 0, or -1: the place has one, is of plain HTTP, or there
 * are as many as may be, and fd is closed. */
int	 covers_keep(struct placement *p, struct place *place, int fd);
/* The copy of a place, which has none any more: the caller's; or -1. */
int	 covers_take(struct placement *p, struct place *place);
/* The same, and it is closed. */
void	 covers_drop(struct placement *p, struct place *place);
size_t	 covers_count(const struct placement *p);
size_t	 covers_most(const struct placement *p);	/* that are allowed */
/* Open connections that shards have, and without one: they end with their shard. */
size_t	 covers_missing(const struct placement *p);

#endif
