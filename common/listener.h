/*
 * Accepts connections from one listening socket.  Keeps one descriptor in
 * reserve: when descriptors run out it closes the reserve, accepts, hands the
 * socket to refuse_cb, and pauses for a while.  Accepts at most 64 per turn.
 */
#ifndef COMMON_LISTENER_H
#define COMMON_LISTENER_H

#include <sys/socket.h>

struct event_base;
struct listener;

/* fd: taken; non-blocking and close-on-exec. */
typedef void	listener_accept_cb(int fd, const struct sockaddr *peer,
		    socklen_t len, void *arg);
/* Out of descriptors: fd is taken; answer at once, cheaply, and close it. */
typedef void	listener_refuse_cb(int fd, void *arg);

/* fd is taken (closed by listener_free).  NULL with errno. */
struct listener *listener_new(struct event_base *base, int fd,
	    listener_accept_cb *accept_cb, listener_refuse_cb *refuse_cb,
	    void *arg);
void	 listener_free(struct listener *l);	/* stops; closes the socket */
/* Reasons to pause are bits; it accepts while none is set.  Bit 0 is its own
 * (out of descriptors: back after 200 ms). */
void	 listener_pause(struct listener *l, unsigned why);
void	 listener_resume(struct listener *l, unsigned why);
int	 listener_fd(const struct listener *l);

#endif
