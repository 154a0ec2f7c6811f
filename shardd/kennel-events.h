/*
 * kennel-events.h - serve the clients of fast-tcp (npm) from a worker for Kennel.
 *
 * Clients emit named events with a value: to the server, to each other by id, to rooms,
 * to all; they join rooms, ask for answers, and send streams.  All of that works
 * without a line of yours, over all processes.  What follows is for the server's own
 * part: handlers for events, and the server's own events.  A whole worker:
 *
 *	#include <kennel-events.h>
 *
 *	static void
 *	hello(struct events_socket *s, const struct events_message *m, void *arg)
 *	{
 *		events_answer(m->ack, events_string("hello back"));
 *	}
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		struct events		*e = events_new("hello");
 *		struct kennel_app	 app;
 *
 *		events_on(e, "hello", hello, NULL);
 *		app = events_app(e);
 *		return (kennel_worker_main(argc, argv, &app, 1));
 *	}
 *
 * Its listener: [listener NAME], address = 5000, app = hello, group = const:hello,
 * uid = random20.  All clients of that group are one server's, whatever process they
 * are in: ids, rooms and broadcasts have one name space.
 *
 * As in kennel.h: all in one thread, nothing blocks, what is passed in is copied, what a
 * callback is given is valid until it returns.  What fails returns -1, or NULL, with
 * errno.  But no call takes NULL for the object that it is about.  Names of events and
 * rooms are terminated.
 */
#ifndef KENNEL_EVENTS_H
#define KENNEL_EVENTS_H

#include <string.h>

#include "kennel.h"

#ifdef __cplusplus
extern "C" {
#endif

struct events;			/* an application: its handlers */
struct events_server;		/* this process's part of a group */
struct events_socket;		/* a client that is connected to this process */
struct events_ack;		/* an answer that a client waits for */
struct events_incoming;		/* a stream that a client sends to the server */
struct events_outgoing;		/* a stream of the server's own */

/* ---- values ---- */

enum events_type {
	EVENTS_STRING = 1,	/* bytes: UTF-8 */
	EVENTS_BINARY,		/* bytes */
	EVENTS_INTEGER,		/* integer: -2^47 to 2^47 - 1 */
	EVENTS_DECIMAL,		/* decimal */
	EVENTS_OBJECT,		/* bytes: what the serializer makes of it, by default
				   JSON text; or object */
	EVENTS_BOOLEAN,		/* boolean: 0 or 1 */
	EVENTS_EMPTY		/* null, undefined */
};

struct events_value {
	enum events_type type;
	const char	*data;		/* of the first two, and of an object */
	size_t		 len;
	union {
		int64_t	 integer;
		double	 decimal;
		int	 boolean;
		void	*object;	/* see events_serializer; else NULL */
	} u;
};

static inline struct events_value
events_bytes(enum events_type type, const char *data, size_t len)
{
	struct events_value	 v;

	memset(&v, 0, sizeof(v));
	v.type = type;
	v.data = data;
	v.len = len;
	return (v);
}
static inline struct events_value
events_string(const char *s)
{
	return (events_bytes(EVENTS_STRING, s, strlen(s)));
}
static inline struct events_value
events_binary(const void *data, size_t len)
{
	return (events_bytes(EVENTS_BINARY, (const char *)data, len));
}
/* JSON text, or whatever the clients' serializer is. */
static inline struct events_value
events_object(const char *data, size_t len)
{
	return (events_bytes(EVENTS_OBJECT, data, len));
}
static inline struct events_value
events_integer(int64_t n)
{
	struct events_value	 v = events_bytes(EVENTS_INTEGER, NULL, 0);

	v.u.integer = n;
	return (v);
}
static inline struct events_value
events_decimal(double d)
{
	struct events_value	 v = events_bytes(EVENTS_DECIMAL, NULL, 0);

	v.u.decimal = d;
	return (v);
}
static inline struct events_value
events_boolean(int b)
{
	struct events_value	 v = events_bytes(EVENTS_BOOLEAN, NULL, 0);

	v.u.boolean = b != 0;
	return (v);
}
static inline struct events_value
events_empty(void)
{
	return (events_bytes(EVENTS_EMPTY, NULL, 0));
}

/*
 * What objects are in the program, and on the wire.  write: *data (malloc'd, freed by
 * the library) and *len for obj, 0, or -1 with errno.  read: the object, or NULL, if
 * the bytes are none; end frees it, after the handler.  Without read, handlers
 * get bytes alone.  What clients say to each other is passed on as it is.
 */
struct events_serializer {
	int	(*write)(void *obj, char **data, size_t *len, void *arg);
	void	*(*read)(const char *data, size_t len, void *arg);
	void	(*end)(void *obj, void *arg);
	void	*arg;
};

/* ---- the application ---- */

struct events_message {
	const char	*name;		/* terminated; may have NUL in it */
	size_t		 name_len;
	struct events_value value;	/* a stream's: its info */
	struct events_ack *ack;		/* NULL: no answer is wanted */
};

/* name: as routes and listeners say it (app = NAME), not copied.  NULL: ENOMEM.  Freed
 * when the process ends in order; events_free() is for one that never served. */
struct events *events_new(const char *name);
void	 events_free(struct events *);
/* For kennel_worker_main(). */
struct kennel_app events_app(struct events *);
void	 events_set_serializer(struct events *,
	    const struct events_serializer *);	/* not copied */

/*
 * A client is there: it has its id, others can reach it, and what is sent from here
 * follows its id.  And it has gone, after its last event: it is in no room any more.
 */
typedef void	events_socket_cb(struct events_socket *, void *arg);
void	 events_on_connection(struct events *, events_socket_cb *, void *arg);
void	 events_on_disconnection(struct events *, events_socket_cb *, void *arg);
/* The same, after the one and before the other, of clients that know the listener's key:
 * those of @gatejs/cluster, whose names for this are downlink/add and downlink/del.
 * Either may be NULL. */
void	 events_on_downlink(struct events *, events_socket_cb *added,
	    events_socket_cb *removed, void *arg);

/*
 * A room of this many bytes has another number of members, in all processes and, over
 * uplinks, at all hosts together: more (registered) or less.  Called in each process that
 * has a part of the server, once a room for what happens within a tenth of a second; what
 * @gatejs/cluster calls room/register and room/unregister.  Where [worker] has an app.host;
 * not for rooms whose name is not UTF-8 or is longer than 16 KiB.
 */
typedef void	events_room_cb(struct events_server *, const char *room,
		    size_t len, uint64_t members, int registered, void *arg);
void	 events_on_room(struct events *, events_room_cb *, void *arg);

/*
 * Clients move to other processes ("sockets that move" in kennel.h) with all that the
 * library knows of them: when no stream and no answer of theirs is under way.  In a
 * program that has callbacks for who comes and goes, or data of a client, they stay, but
 * with this.  version: of what freeze writes, and the highest that thaw reads.  freeze:
 * add to the blob what the program knows of the client, and change nothing; 0, or -1 with
 * errno EAGAIN, ENOTSUP.  thaw, in the other process: make that known, tell nobody, in place
 * of connection; 0, or -1: it stays where it was.  moved: the last that is heard of it
 * here, in place of disconnection.  how: as kennel_app's.  Each may be NULL.  When a
 * process dies, those of its clients of whom nothing was under way, in no more rooms than
 * 4 KiB of names, go on elsewhere: there thaw gets KENNEL_RESUMED and no bytes.
 */
struct events_move_ops {
	unsigned version;
	int	(*freeze)(struct events_socket *, struct kennel_blob *);
	int	(*thaw)(struct events_socket *, const char *data, size_t len,
		    int how);
	void	(*moved)(struct events_socket *, int how);
};
void	 events_on_move(struct events *, const struct events_move_ops *);
						/* not copied */

/*
 * Clients emit this to the server; name NULL: whatever has no handler of its own.  The
 * handler answers m->ack, if there is one, with events_answer(); one that it leaves
 * unanswered is never answered, unless it called events_ack_keep().  Later calls for
 * the same name replace earlier ones.  0, or -1 with errno ENOMEM.
 */
typedef void	events_handler(struct events_socket *,
		    const struct events_message *, void *arg);
int	 events_on(struct events *, const char *name, events_handler *,
	    void *arg);

/*
 * Clients stream this to the server.  open returns 0, or -1: what comes is dropped.
 * end comes once for each that was opened; cut: the client was lost first.
 */
struct events_stream_ops {
	int	(*open)(struct events_incoming *, const struct events_message *,
		    void *arg);
	void	(*data)(struct events_incoming *, const char *data, size_t len);
	void	(*end)(struct events_incoming *, int cut);
};
int	 events_on_stream(struct events *, const char *name,
	    const struct events_stream_ops *, void *arg);	/* not copied */
/* Who streams it. */
struct events_socket *events_incoming_socket(const struct events_incoming *);
/* A pointer of the program's, until end; NULL at first. */
void	 events_incoming_set_data(struct events_incoming *, void *);
void	*events_incoming_data(const struct events_incoming *);
/* No more of it for now; the client's other events wait, too.  And again. */
void	 events_incoming_pause(struct events_incoming *);
void	 events_incoming_resume(struct events_incoming *);

/* ---- answers ---- */

/* Answer; ends ack, which may be NULL.  If the client has gone, nothing happens.  0, or
 * -1 with errno: ERANGE (not an integer of 6 bytes), EMSGSIZE, ENOMEM, EINVAL. */
int	 events_answer(struct events_ack *, struct events_value);
/* It will be answered later, and must be, also when the client has gone: for it is freed
 * then.  Returns what it got, which may be NULL. */
struct events_ack *events_ack_keep(struct events_ack *);

/* ---- one client ---- */

/* answer: what the client says, or NULL: it has gone without. */
typedef void	events_answer_cb(struct events_server *,
		    const struct events_value *answer, void *arg);

/* Its id, by which anybody can reach it; terminated, valid until it has gone. */
const char *events_socket_id(const struct events_socket *);
struct events_server *events_socket_server(const struct events_socket *);
/* For kennel.h's calls: peer, settings, close ... not for its data. */
struct kennel_socket *events_socket_kennel(const struct events_socket *);
/* A pointer of the program's, which frees what it points to; NULL at first. */
void	 events_socket_set_data(struct events_socket *, void *);
void	*events_socket_data(const struct events_socket *);
/*
 * To this client.  cb (NULL: no answer is wanted) is called once, not from within, unless
 * the call fails.  0, or -1 with errno: EINVAL (data), ERANGE (not an integer of 6 bytes),
 * EMSGSIZE (the name or the frame is too long, or it reads too slowly), EPIPE (closing),
 * EAGAIN (on its way to another process), ENOMEM.
 */
int	 events_socket_emit(struct events_socket *, const char *name,
	    struct events_value, events_answer_cb *cb, void *arg);
/* 0, also if nothing changes by it, or -1 with errno: EINVAL (a comma in the room's name),
 * EDQUOT (it is in 100 000 rooms), EMSGSIZE, ENOMEM. */
int	 events_socket_join(struct events_socket *, const char *room);
int	 events_socket_leave(struct events_socket *, const char *room);
int	 events_socket_leave_all(struct events_socket *);

/* ---- all of them, in whatever process ---- */

/* Lists that end with NULL; NULL is an empty one.  Neither rooms nor sockets: all.  A
 * socket gets a copy for each time that it is meant, but one message makes no more than
 * 65 536 copies in a process (a stream: 1024) and eight for each client there: receivers
 * behind these are passed over, and the log says so.  No name has a comma. */
struct events_to {
	const char *const *rooms;
	const char *const *sockets;	/* ids */
	const char *const *except;	/* ids */
};

/* 0; 1: said, but more than 8 MiB wait for another process, or 1 MiB for a link to another
 * cluster, better slow down; or -1 with errno: EINVAL (a comma, a bar in a name), EMSGSIZE, ERANGE, ENOMEM. */
int	 events_emit(struct events_server *, const char *name,
	    struct events_value, const struct events_to *);
/*
 * Ask the client with this id, wherever it is: in any process, or at another cluster to which
 * uplinks lead over Kennel alone.  cb is called once, not from within: with what
 * the client answers, or with NULL and errno: ENOENT (there is no such client),
 * EHOSTUNREACH (no way leads to its cluster, or none any more), ECONNRESET (it, or its
 * process, has gone first), ETIMEDOUT (no answer in ms, at most an hour), ENOMEM.  0; or -1
 * with errno, those and EINVAL, ERANGE, EMSGSIZE: then cb is not called.
 */
int	 events_ask(struct events_server *, const char *id, const char *name,
	    struct events_value, unsigned ms, events_answer_cb *cb, void *arg);
/* The client with this id enters or leaves a room, wherever it is; nothing, if there is
 * none of that id.  Returns as events_socket_join(). */
int	 events_join(struct events_server *, const char *id, const char *room);
int	 events_leave(struct events_server *, const char *id,
	    const char *room);
int	 events_leave_all(struct events_server *, const char *id);
/* How many clients it has in this process. */
size_t	 events_count(const struct events_server *);
/* For kennel.h's calls. */
struct kennel_replica *events_server_replica(const struct events_server *);

/* ---- streams of the server's own ---- */

struct events_outgoing_ops {
	/* Those who read most slowly have caught up: go on writing. */
	void	(*drained)(struct events_outgoing *);
	/* The client's answer, if it was asked for one (events_socket_stream()). */
	void	(*answer)(struct events_outgoing *,
		    const struct events_value *answer);
	/* Freed: after events_stream_close(), or because its one client, or the
	 * server's last client here, has gone. */
	void	(*end)(struct events_outgoing *);
};

/* Receivers are those of now.  ops (not copied) may be NULL.  NULL with errno as
 * events_emit(), and end does not come. */
struct events_outgoing *events_stream(struct events_server *,
	    const char *name, struct events_value info,
	    const struct events_to *, const struct events_outgoing_ops *,
	    void *arg);
struct events_outgoing *events_socket_stream(struct events_socket *,
	    const char *name, struct events_value info,
	    const struct events_outgoing_ops *, void *arg);
void	*events_stream_arg(const struct events_outgoing *);	/* as it was given */
/* 0; 1: written, but wait for drained before the next; -1 with errno ENOMEM. */
int	 events_stream_write(struct events_outgoing *, const char *data,
	    size_t len);
/* Receivers hear its end; ops->end comes from within, and the stream is freed. */
void	 events_stream_close(struct events_outgoing *);

#ifdef __cplusplus
}
#endif
#endif
