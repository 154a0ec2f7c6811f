/*
 * A porter brings a file from another server, or one there: one request over HTTP to the
 * admin listener of that server, which a common key opens (proto/vouch.h).  Nothing of it
 * goes by the channels of a forest.
 */
#ifndef SHARDD_FOREST_PORTER_H
#define SHARDD_FOREST_PORTER_H

#include <stddef.h>
#include <stdint.h>

#include "proto/http_answer.h"

struct porter;

#define PORTER_HEAD_MS	5000	/* until the head of the answer is there */
#define PORTER_IDLE_MS	60000	/* without a byte of what follows */
#define PORTER_WHERE	255	/* bytes of an address */

struct porter_ops {
	/* The head of the answer.  0, or -1: the body is not wanted. */
	int	(*head)(const struct http_answer *a, void *arg);
	/* More of the body.  0, or -1: no more. */
	int	(*body)(const char *data, size_t len, void *arg);
	/* The last: the answer was whole (0), or an errno.  Not within porter_new(). */
	void	(*end)(int err, void *arg);
};

struct porter_errand {
	const char	*where;		/* host:port */
	const char	*method, *target;
	const char	*headers;	/* lines of the request, each with its end */
	const char	*key;
	int		 fd;		/* its body, from the start; -1: none */
	uint64_t	 size;		/* of it */
	uint64_t	 max;		/* bytes of an answer's body */
};

/* All is borrowed during the call, but fd and ops, until the end.  NULL with errno. */
struct porter *porter_new(const struct porter_errand *e,
	    const struct porter_ops *ops, void *arg);
/* There will be no end. */
void	 porter_free(struct porter *p);

#endif
