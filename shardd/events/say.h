/*
 * Messages to clients, wherever they are: first to those here, then one word to the
 * other replicas, which pick theirs.  All that one client sends takes these two ways and no
 * other, so that no message overtakes another one.
 */
#ifndef EVENTS_SAY_H
#define EVENTS_SAY_H

#include "shardd/events/word.h"

struct events_server;
struct events_socket;
struct fasttcp_frame;

struct targets {
	enum word_whom	 whom;
	struct slice	 names;		/* rooms or ids, separated by commas */
	struct slice	 except;	/* ids; data NULL: none */
	const struct events_socket *but;	/* the sender: not for rooms and all */
	int		 home;		/* for nobody at other hosts */
};

/*
 * Those of t that are here, as often as each is meant: a list may name a room, or a
 * client, again and again.  At most `most`, and eight times as many as there are clients
 * here; those behind them are passed over, and the log says so.
 */
typedef void	say_each_cb(struct events_socket *s, void *arg);
void	 say_each(struct events_server *v, const struct targets *t, size_t most,
	    say_each_cb *cb, void *arg);
/* How often s is meant. */
size_t	 say_means(const struct targets *t, const struct events_socket *s);
/* f, a DATA, to those of t that are here. */
void	 say_here(struct events_server *v, const struct targets *t,
	    const struct fasttcp_frame *f);
/*
 * Tell one neighbour, or all (0), in the name of the client `by`, who is paused when
 * too much waits, or of nobody (NULL): then 1 is returned when it is so.  0, or -1 with
 * errno as kennel_tell().
 */
int	 say_tell(struct events_server *v, struct events_socket *by,
	    uint64_t neighbour, const struct word *w, struct slice data);
/* f to all of t; returns as say_tell(). */
int	 say(struct events_server *v, struct events_socket *by,
	    const struct targets *t, const struct fasttcp_frame *f);

#endif
