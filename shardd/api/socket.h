/* What a socket is told to do, whichever function of kennel.h says it. */
#ifndef SHARDD_SOCKET_H
#define SHARDD_SOCKET_H

#include <stddef.h>

struct kennel_socket;
struct verb;

/* Do v with this message.  0, or -1 with errno. */
int	 api_call(struct kennel_socket *s, struct verb *v, const char *data,
	    size_t len);

#endif
