/* What a socket is told to do, whichever function of kennel.h says it. */
#ifndef SHARDD_SOCKET_H
#define SHARDD_SOCKET_H

#include <stddef.h>

struct conn;
struct kennel_socket;
struct payload;
struct verb;

/*
 * May c be sent something by its application?  0; 1: it is on its way, and gets it only if
 * it stays (told); or -1 with errno EAGAIN (on its way), EPIPE.
 */
int	 api_may_send(const struct conn *c, int told);
/* c is on its way, and told p elsewhere: it gets p, behind head (or NULL), if it stays.  0,
 * or -1 with errno as conn_send(). */
int	 api_gather(struct conn *c, struct payload *head, struct payload *p);
/* Do v with this message.  0, or -1 with errno. */
int	 api_call(struct kennel_socket *s, struct verb *v, const char *data,
	    size_t len);

#endif
