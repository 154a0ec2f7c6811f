/*
 * Servers that we hear, and what of theirs waits until it is known whether they are of
 * our own cluster.  What others say is handed on in its order.
 */
#ifndef SHARDD_FOREST_SENDERS_H
#define SHARDD_FOREST_SENDERS_H

#include <stddef.h>

#include "common/map.h"
#include "shardd/forest/kin.h"

#define SENDERS_ID_MAX	64		/* bytes of a server's id */

typedef void	senders_cb(const char *msg, size_t len);

struct senders {
	struct map	 by_id;
	struct kin	*kin;
	senders_cb	*cb;
	size_t		 waiting;	/* bytes */
};

void	 senders_init(struct senders *all, struct kin *kin, senders_cb *cb);
/* After kin_free(): what still waits is dropped. */
void	 senders_clear(struct senders *all);
/* This was said: handed on now, later, or never.  0, or -1: there was no room for it. */
int	 senders_heard(struct senders *all, const char *id, size_t id_len,
	    const char *msg, size_t len);
/* Ask again about each, from its next message on. */
void	 senders_doubt(struct senders *all);

#endif
