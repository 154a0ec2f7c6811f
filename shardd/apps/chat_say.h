/* What is said in a chat room: commands, and whom they reach. */
#ifndef SHARDD_CHAT_SAY_H
#define SHARDD_CHAT_SAY_H

#include <stddef.h>

#include "shardd/kennel.h"

struct chat_speaker {
	struct kennel_socket *s;	/* that says it, or NULL: a request does */
	struct kennel_replica *r;
	const char	*uid;
	size_t		 uid_len;
};

/* Say this text, or do what it commands: 0, or -1 with errno (of a request only). */
int	 chat_say(const struct chat_speaker *f, const char *said,
	    size_t said_len);

#endif
