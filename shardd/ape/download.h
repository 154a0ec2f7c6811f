/* Binary that clients fetch: what was in replies and pushes, under a name of its own. */
#ifndef SHARDD_APE_DOWNLOAD_H
#define SHARDD_APE_DOWNLOAD_H

#include <stdint.h>

#include "shardd/ape/asker.h"
#include "shardd/ape/signpost.h"

#define DOWNLOAD_NAME	22	/* two letters for the shard, 20 nobody can guess */
/* The same with '.' and the name of the server, where others reach it. */
#define DOWNLOAD_NAME_MAX (DOWNLOAD_NAME + 1 + SIGNPOST_SERVER)

/*
 * Keep the file fd (borrowed) for this session, or client; both NULL: for whoever knows
 * the name.  Returns the name, valid until the next call; NULL: there is no room.
 */
const char *download_add(int fd, uint64_t size, const char *session,
	    const char *client);
/* Whose it is: the name of a server, "" (this one), or NULL: it is no such name. */
const char *download_server(const char *name);
/* Is there one that only this session or client may have, and has not asked for? */
int	 download_is_due(const char *session, const char *client);
/* Its descriptor, borrowed; -1: there is none for who asks. */
int	 download_find(const char *name, const struct asker *who);

#endif
