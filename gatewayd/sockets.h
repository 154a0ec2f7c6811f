/*
 * The sockets that clients connect to: bound before anything else is started (or
 * passed to us already listening), listened on when the shards are there.
 *
 * Sockets that are passed stand for the lines `listen`; one that has the name of a
 * section [listener NAME] is that one's.
 */
#ifndef GATEWAYD_SOCKETS_H
#define GATEWAYD_SOCKETS_H

#include <sys/socket.h>

#include <stddef.h>

#include "gatewayd/inlet.h"
#include "gatewayd/settings.h"

struct buf;
struct event_base;
struct listener;
struct sockets;

/* fd: taken; non-blocking and close-on-exec. */
typedef void	sockets_accept_cb(int fd, const struct sockaddr *peer,
		    socklen_t len, const struct inlet *inlet, void *arg);
/* Out of descriptors: fd is taken; answer at once, cheaply, and close it. */
typedef void	sockets_refuse_cb(int fd, const struct inlet *inlet, void *arg);

struct opening {
	struct sockets	*all;
	const struct inlet *inlet;
	int		 fd;		/* until there is a listener, else -1 */
	int		 passed;	/* to us */
	int		 awaited;	/* a shard may hold it: see sockets_bind */
	struct listener	*listener;
};

struct sockets {
	const struct settings *settings;
	struct opening	 list[2 * INLETS_MAX];
	size_t		 n;
	sockets_accept_cb *accept_cb;
	sockets_refuse_cb *refuse_cb;
	void		*arg;
};

/* What cannot be listened on ends the process, with a sentence.  held: shards of an
 * earlier gateway live, and may hold what is in use. */
void	 sockets_bind(struct sockets *ss, const struct settings *settings,
	    int held);
/* Leave those that clients connect to to the program that is executed in our place. */
void	 sockets_leave_to(const struct sockets *ss, struct buf *will);
/* A shard held this one; fd is taken. */
void	 sockets_return(struct sockets *ss, int fd);
/* What no shard held is bound now, or ends the process. */
void	 sockets_rebind(struct sockets *ss);
/* Each that was not passed to us: fd, which may be duplicated; -1: no more. */
int	 sockets_next(const struct sockets *ss, size_t *at, const char **name);
/* Those of Unix sockets that we made are to be the user's: 0, or -1 with errno and
 * *path. */
int	 sockets_give(const struct sockets *ss, const char **path);
/* Accept; where they are goes to where, with commas.  0, or -1 with errno. */
int	 sockets_listen(struct sockets *ss, struct event_base *base,
	    sockets_accept_cb *accept_cb, sockets_refuse_cb *refuse_cb,
	    void *arg, struct buf *where);
int	 sockets_listening(const struct sockets *ss);	/* is anybody accepted? */
/* Accept nobody for a while, or go on (0). */
void	 sockets_pause(struct sockets *ss, int on);
void	 sockets_close(struct sockets *ss);
void	 sockets_unlink(const struct sockets *ss);	/* those that we made */

#endif
