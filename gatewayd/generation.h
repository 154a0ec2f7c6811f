/*
 * A generation is one worker program as it was when it was opened: its descriptor and
 * a number.  What stands at its path later changes nothing for the shards that run of
 * it, not even when they start again.
 */
#ifndef GATEWAYD_GENERATION_H
#define GATEWAYD_GENERATION_H

#include <sys/types.h>

#include "common/list.h"

struct generation {
	struct list	 at;		/* of all, oldest first */
	unsigned	 number;	/* from 1 */
	int		 fd;		/* O_PATH; -1: it could not be opened yet */
	char		*path;
	unsigned	 users;		/* slots that have it, and an upgrade */
};

struct generations {
	struct list	 list;
	unsigned	 last;		/* number */
	struct generation *current;	/* what new shards are of */
};

void	 generations_init(struct generations *gs);
void	 generations_clear(struct generations *gs);
/* Another one, from path; not yet the current one.  NULL with errno ENOMEM, or what
 * is wrong with the file. */
struct generation *generation_open(struct generations *gs, const char *path);
/* The same, but what cannot be opened is tried again when it is to be executed. */
struct generation *generation_later(struct generations *gs, const char *path);
/* That of a process which an earlier gateway started: known by its file, or another one;
 * the current one where this cannot be told (a script's process is its interpreter). */
struct generation *generation_found(struct generations *gs, pid_t pid);
/* The descriptor to execute, or -1 with errno. */
int	 generation_fd(struct generation *g);
/* *slot, which a slot has (NULL: none), becomes g (NULL: none); one that nobody has
 * and that is not the current one goes. */
void	 generation_set(struct generations *gs, struct generation **slot,
	    struct generation *g);
/* g is what new shards are of. */
void	 generation_use(struct generations *gs, struct generation *g);

#endif
