/*
 * kennel-forest.h - several servers whose clients reach each other.
 *
 * Where [ape] namespace is configured, ape_join(NULL) in onlaunch is all: what
 * kennel-ape.h's functions push to others, to everyone and to one client reaches the
 * clients of all servers of that namespace, whatever their software.  By what they
 * reach each other is an adapter; one of your own is a struct of functions:
 *
 *	static const struct forest_adapter mine = {
 *		.name = "mine", .join = mine_join, .leave = mine_leave,
 *		.lookup = { mine_add, mine_read, mine_remove },
 *		.channels = { mine_push, mine_pull },
 *	};
 *
 *	static int
 *	launch(const struct kennel_app *app)
 *	{
 *		return (ape_join(&mine));
 *	}
 *
 * Each process of a worker joins for itself, and all processes of a node join under one
 * id: what is pushed to a server reaches all of them, and each has its own clients.
 */
#ifndef KENNEL_FOREST_H
#define KENNEL_FOREST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who joins, and where.  Valid until it has left. */
struct forest_site {
	const char	*where;		/* what [ape] forest says, or "" */
	const char	*ns;		/* the namespace */
	const char	*server_id;
};

/* up: 1, messages are heard and entries taken; 0, no more, until it is 1 again. */
typedef void	forest_state_cb(int up, void *arg);
/* NULL: no server has that client, or it cannot be known now. */
typedef void	forest_read_cb(const char *server_id, void *arg);
/* 1: that server has it, or it cannot be known; 0: it is not there. */
typedef void	forest_pushed_cb(int reached, void *arg);
/* sender NULL: the message itself says it ("_senderServerId"). */
typedef void	forest_message_cb(const char *sender, const char *msg, size_t len,
		    void *arg);

/*
 * None of the functions may block.  What can fail gives 0, or -1 with errno and the
 * callback is not called; else it is called once, at the latest by leave.
 */
struct forest_adapter {
	const char	*name;
	/* Begin to connect, and again by itself whenever the connection is lost.  What
	 * the other functions get as self; NULL with errno. */
	void	*(*join)(const struct forest_site *, forest_state_cb *, void *arg);
	/* The end: nothing is called any more. */
	void	 (*leave)(void *self);
	struct {
		/* This client is ours; said again every 40 s, and may be forgotten
		 * when it was not said for 120 s. */
		int	(*add)(void *self, const char *client_id);
		int	(*read)(void *self, const char *client_id,
			    forest_read_cb *, void *arg);
		/* It is no more that server's; nothing, if it is another's. */
		int	(*remove)(void *self, const char *client_id,
			    const char *server_id);
	} lookup;
	struct {
		/* A JSON object to a server, or to all ("").  cb may be NULL. */
		int	(*push)(void *self, const char *server_id,
			    const char *msg, size_t len, forest_pushed_cb *cb,
			    void *arg);
		/* Hear what is pushed to that server, or to all (""): also one's own. */
		int	(*pull)(void *self, const char *server_id,
			    forest_message_cb *, void *arg);
	} channels;
	/*
	 * What servers tell each other of files, which themselves go from server to
	 * server: a name ("file:ID", "at:SERVER") and a value, which may be forgotten
	 * when it was not told for 120 s.  Both NULL: files stay where they are.
	 */
	struct {
		/* keep: another value that was told before, and not forgotten, stays. */
		int	(*tell)(void *self, const char *name, const char *value,
			    int keep);
		int	(*ask)(void *self, const char *name, forest_read_cb *,
			    void *arg);
	} facts;
};

/* By Redis, where it is "redis://..."; by PostgreSQL, where it is "postgresql://...". */
extern const struct forest_adapter forest_redis, forest_postgres;
/* Among those who join in one process: for tests. */
extern const struct forest_adapter forest_memory;

/*
 * Join, in onlaunch: NULL stands for the adapter that [ape] forest names.  0, also where
 * no namespace is configured and nothing is joined; or -1 with errno: EALREADY (a process
 * joins once), EINVAL (no adapter is known for that).
 */
int	 ape_join(const struct forest_adapter *);
/* Leave, in onexit: a process does not join again. */
void	 ape_leave(void);
/* The id of this server in the namespace; NULL: it has not joined (yet). */
const char *ape_server_id(void);

#ifdef __cplusplus
}
#endif
#endif
