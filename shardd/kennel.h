/*
 * kennel.h - write a worker for Kennel.
 *
 * A worker is a program that keeps client connections.  gatewayd starts as many
 * of it as it needs, accepts clients, and hands each live socket to one of
 * them.  You fill a struct kennel_app with callbacks and call
 * kennel_worker_main().  A complete worker:
 *
 *	#include <kennel.h>
 *
 *	static void
 *	receive(struct kennel_request *q)
 *	{
 *		kennel_connect(q);
 *	}
 *
 *	static void
 *	onmessage(struct kennel_socket *s, const struct kennel_message *m)
 *	{
 *		kennel_broadcast(s, m->data, m->len, KENNEL_SELF, NULL, NULL);
 *	}
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		static const struct kennel_app app = {
 *			.receive = receive, .onmessage = onmessage,
 *			.moves = 1,
 *		};
 *
 *		return (kennel_worker_main(argc, argv, &app, 1));
 *	}
 *
 * Words: a group is a named cluster of connections (a room, a document).  Its
 * part in one worker process is a replica; replicas of one group are
 * neighbours.  A uid says who a connection belongs to; several connections
 * may share one.
 *
 * Everything runs in one thread, from kennel_worker_main()'s loop; no call
 * blocks, and no callback may.  Data passed in is copied or counted before a
 * call returns; data passed to a callback is valid until it returns.  Names and
 * uids are bytes with a length; those given as const char * are terminated too.
 *
 * Every call takes NULL for the object that it is about, as
 * kennel_socket_replica() gives it where a route has no group: what can fail returns
 * -1 with errno ENOTCONN (EINVAL for another NULL that it needs), what gives
 * something gives NULL, 0 or "", and the rest does nothing.
 *
 * What is promised about messages: everything one socket sends reaches each
 * receiver in the order sent, whatever mix of calls it was, at most once.  Who
 * misses one that was lost between two processes is closed (1013, "missed").
 */
#ifndef KENNEL_H
#define KENNEL_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KENNEL_API 1		/* raised when a program must be changed */

struct kennel_request;		/* an HTTP request being answered */
struct kennel_socket;		/* an open client connection */
struct kennel_replica;		/* this process's part of a group */
struct kennel_answer;		/* a gossip to be answered */
struct kennel_step;		/* being decided */
struct kennel_timer;
struct kennel_blob;		/* what a socket takes along */
struct kennel_payload;		/* a message, to be sent to many */
struct kennel_watch;		/* a descriptor of yours that the loop watches */

struct kennel_message {
	const char	*data;		/* not terminated */
	size_t		 len;
	int		 binary;	/* else UTF-8 text, checked */
};

struct kennel_close {
	int		 code;		/* RFC 6455 7.4; 1005 none, 1006 cut off */
	const char	*reason;	/* the client's words, or "" */
	size_t		 reason_len;
	const char	*label;		/* "client", "slow", ...: see the README */
	int		 last;		/* no other connection of this uid is left
					   in the group, on any node */
	int		 unsure;	/* there are other nodes, and Redis did not
					   say: last is what this node knows */
};

struct kennel_uid {
	const char	*data;		/* not terminated */
	size_t		 len;
};

/* A key of the group's state that a step has written. */
struct kennel_change {
	const char	*map;		/* not terminated, none of them */
	size_t		 map_len;
	const char	*key;
	size_t		 key_len;
	const char	*value;		/* NULL: it was removed */
	size_t		 value_len;
};

/* What one replica tells another: kennel_tell(). */
struct kennel_word {
	const char	*head;		/* not terminated, neither */
	size_t		 head_len;
	const char	*data;
	size_t		 len;
};

#define KENNEL_LOST_MORE	0x1
#define KENNEL_LOST_UNKNOWN	0x2
#define KENNEL_LOST_HERE	0x4

struct kennel_app {
	/* Routes name it (app = NAME).  NULL: serves every route.  The first one
	 * is also "main", unless another has that name. */
	const char	*name;
	/* Bytes of the largest message that it takes (for shardd's own, [worker]
	 * chat_message_max and pact_message_max say it), if message_max allows as
	 * much; 0: whatever that allows.  Beyond it, the client is closed with
	 * 1009.  The larger it is and the more onmessage does with each byte, the
	 * longer all other clients of the shard wait. */
	size_t	 message_max;

	/* A replica begins (kennel_replica_set_data) or ends.  onstart returns
	 * 0, or -1 to refuse: its clients get 503. */
	int	(*onstart)(struct kennel_replica *);
	void	(*onstop)(struct kennel_replica *);

	/*
	 * An HTTP request, its body read.  NULL: 404 for all.  Must lead to exactly one
	 * kennel_respond() or kennel_connect(), now or later.  The place of a
	 * plain request is given back when the response is sent.  It comes when the
	 * group's processes on other nodes have been heard, or are silent for a second.
	 */
	void	(*receive)(struct kennel_request *);
	/*
	 * A connection that kennel_connect() upgraded.  It hears no emit, broadcast
	 * or whisper yet; what is sent here is the first thing the client reads.
	 * Returns 0, or -1: the client gets 400 and no socket comes of it.
	 */
	int	(*onopen)(struct kennel_socket *);
	void	(*onmessage)(struct kennel_socket *, const struct kennel_message *);
	/*
	 * Exactly one of the two, once, after the last onmessage, for each socket
	 * that was opened: onerror if it was cut off or broke the rules (and
	 * onerror is given), else onclose.  The socket is no target any more.
	 */
	void	(*onclose)(struct kennel_socket *, const struct kennel_close *);
	void	(*onerror)(struct kennel_socket *, const struct kennel_close *);
	/* A neighbour asks: kennel_answer() or kennel_answer_error(), once, now
	 * or later. */
	void	(*ongossip)(struct kennel_replica *, struct kennel_answer *,
		    const char *msg, size_t len);
	/*
	 * A neighbour was lost: its process died.  Every replica of the group
	 * that is left is told, so kennel_replica_emit() is the way to tell all
	 * clients.  uids: the n that were connected there and have no connection
	 * left in the group, on any node, each once, however many it had.  One that is back
	 * elsewhere before the loss is noticed is not among them; when it comes
	 * back here later, its onopen comes later.  flags:
	 * KENNEL_LOST_MORE	1024 are named at once: this neighbour's others
	 *			follow, in another call.  With several nodes the
	 *			first call comes at once, with n 0, and the uids
	 *			when their entries in Redis are swept, 1 to 3 s later
	 * KENNEL_LOST_UNKNOWN	nobody knows whom it had, for the gateway had
	 *			died, too, or Redis was away: n is 0
	 * KENNEL_LOST_HERE	there are other nodes, and Redis is away: some of
	 *			these may have a connection there
	 * When all processes of a group die, nobody is left to be told.
	 */
	void	(*onlost)(struct kennel_replica *, uint64_t neighbour,
		    const struct kennel_uid *uids, size_t n, int flags);
	/*
	 * Some of what neighbour `origin` said to the clients of this replica did
	 * not get here, though neither process died: too much waited for the link
	 * between the two, the link was lost, there was no memory, or origin's node
	 * took this one for dead for a while.  Clients who were to have it are being
	 * closed with 1013, to come back, unless origin is of another node: then the
	 * application decides.  What it has gathered from what it heard may lack
	 * something.  Called once for each loss, before anything that was said later
	 * is heard.
	 */
	void	(*onmissed)(struct kennel_replica *, uint64_t origin);

	/*
	 * The state of a group: see "shared state" below.  decide runs in one
	 * replica, for one step at a time; it reads and writes by kennel_get_in()
	 * and its like and does nothing else, for it may run again.  Returns 0, or
	 * an errno: the step is refused, and has written nothing.
	 */
	int	(*decide)(struct kennel_replica *, struct kennel_step *,
		    const char *data, size_t len);
	/* The same for a replica that has ended, or was lost with its shard:
	 * write off what was its own.  EAGAIN: not all of it; what was written
	 * takes effect, then it is called again (see kennel_put_left()). */
	int	(*ongone)(struct kennel_replica *, struct kennel_step *,
		    uint64_t replica);
	/* In every replica, in the same order: a step took effect, and changed
	 * this.  data is what kennel_step() got; for ongone's, and where keys were
	 * removed whose time has ended, it is empty. */
	void	(*onstep)(struct kennel_replica *, const struct kennel_change *,
		    size_t n, const char *data, size_t len);
	/* The state is another one, and steps were missed, or others took this replica
	 * for ended (ongone) and it lives: begin with the state afresh. */
	void	(*onreset)(struct kennel_replica *);

	/*
	 * The process begins, options are known, and nobody has come yet: open here
	 * what all replicas share (files, a connection to a database: kennel_watch(),
	 * kennel_work()).  Returns 0, or -1: the process ends at once with status 1,
	 * the log names the application, and gatewayd starts another one, after a
	 * delay that grows.
	 */
	int	(*onlaunch)(const struct kennel_app *);
	/* The process ends: everybody has gone, had the last callback, all replicas
	 * have stopped and all jobs are done.  Called where onlaunch was (if that is
	 * given), last application first; not in a process that is killed. */
	void	(*onexit)(const struct kennel_app *);

	/*
	 * The head of a request with a body has come, and nothing of the body was
	 * asked for: it may be answered here (its connection then ends), be given
	 * another bound, kennel_request_max(), or be taken as it comes,
	 * kennel_request_stream().  Then its body comes, and `receive`; or its client goes,
	 * and onabort.
	 */
	void	(*onhead)(struct kennel_request *);
	/* A piece of the body of a request that is taken as it comes; behind the last
	 * one is `receive`.  It may be answered here, too. */
	void	(*onbody)(struct kennel_request *, const char *data, size_t len);
	/*
	 * The client of a request that `receive` got, or onhead, has gone, or has had its
	 * deadline, before there was an answer: once at most.  One that `receive`
	 * got is to be answered all the same (a client that has only shut down its side
	 * reads it); others end with this call.
	 */
	void	(*onabort)(struct kennel_request *);
	/* A neighbour has told this (kennel_tell()). */
	void	(*ontell)(struct kennel_replica *, uint64_t neighbour,
		    const struct kennel_word *);
	/* More than 8 MiB of the group waited for a process, as kennel_replica_tell()
	 * has said, and no more than half of that is left. */
	void	(*oneased)(struct kennel_replica *);
	/* For whatever the program likes; kennel_replica_app() leads to it. */
	void	*arg;

	/*
	 * Moving: see "sockets that move" below.  moves is the version of the blobs
	 * that freeze writes, and the highest that thaw reads; 0: its sockets stay
	 * where they are.  freeze adds to the blob what the application knows of this
	 * socket, and changes nothing: 0, or -1 with errno EAGAIN (not now) or ENOTSUP
	 * (not this one, ever).  NULL: nothing.  thaw makes that known in another
	 * process, as onopen does, but says nothing to any client, for it is not sure
	 * yet that the socket comes: 0, or -1, it stays where it was.  onmoved is the
	 * last that is heard of a socket here, in place of onclose: let go of what
	 * belongs to it, and tell nobody, for it has not ended.  how: KENNEL_MOVED, it
	 * has gone; KENNEL_STAYED, thaw had agreed, but it stays where it was.  thaw
	 * has a third, KENNEL_RESUMED: the process has died, and data is the socket's
	 * checkpoint, empty if it had none; -1 then closes it (1012, "lost").
	 */
	unsigned moves;
	int	(*freeze)(struct kennel_socket *, struct kennel_blob *);
	int	(*thaw)(struct kennel_socket *, const char *data, size_t len,
		    int how);
	void	(*onmoved)(struct kennel_socket *, int how);
	/* Raw TCP: see "a protocol of your own" below. */

	/*
	 * A raw client has sent data: these len bytes, which begin with those that
	 * earlier calls have not used, wait for you.  Returns how many of them you
	 * have used, from the front; or -1, what the client sends is wrong: it is
	 * closed ("bad-data", onerror).  0: a message has begun and is not whole;
	 * the same bytes come again with more behind them, up to message_max (a
	 * client whose message is larger is closed, "too-big").  After n > 0 the
	 * rest comes at once, or later if the socket waits for a completion, was
	 * paused, or has had its time in this turn: so use one message a call.
	 * NULL: no raw connection is served.
	 */
	ssize_t	(*ondata)(struct kennel_socket *, const char *data, size_t len);
	/*
	 * A raw client has shut down its side, and ondata has had all that it sent
	 * (but for a part of a message, which is dropped).  Returns 0: when what it
	 * is owed is written, our side is shut down, too, and onclose follows; or 1:
	 * it stays open for writing until kennel_close().  NULL: 0.
	 */
	int	(*onend)(struct kennel_socket *);
	/*
	 * More than pressure_high bytes wait for a client that does not read as fast
	 * (high is 1), or no more than pressure_low are left (0), in turns, first the
	 * 1.  For WebSockets, too.  Never called from within another call.  The
	 * marks: 0 for high is 1 MiB, 0 for low a quarter of high.
	 */
	void	(*onpressure)(struct kennel_socket *, int high);
	size_t	 pressure_high, pressure_low;

	/*
	 * Moving, again: between thaw and this socket's first callback neighbour (or its
	 * own replica) has told all this, kennel_tell() with neighbour 0.  ontell has
	 * heard it, if it came from elsewhere, but could not reach the socket: act on it
	 * for this one alone.  Once for each word that the socket has not had where it
	 * came from, in order.  NULL: words are for no socket.
	 */
	void	(*ontold)(struct kennel_socket *, uint64_t neighbour,
		    const struct kennel_word *);

	/*
	 * The process that had this socket has died, and it goes on here: see "sockets
	 * that survive" below.  data is its checkpoint, or empty.  It hears no emit,
	 * broadcast or whisper yet; what is sent here is the first that the client
	 * reads of this process: messages to it and from it may have been lost, and
	 * this is the place to say so.  NULL: nothing is said.
	 */
	void	(*onresume)(struct kennel_socket *, const char *data,
		    size_t len);
};

/*
 * The whole program: reads the arguments that gatewayd gives, connects to it, and
 * serves until told to leave.  apps: n of them (by pointer to the first).
 * Descriptors that the program has opened stay open.  Returns the exit status.
 */
int	 kennel_worker_main(int argc, char **argv, const struct kennel_app *apps,
	    size_t n);

/* ---- HTTP ---- */

/* "GET", and the path without the query, both as sent; "" without memory.  Valid until
 * the request is answered, as all that is given of a request. */
const char *kennel_request_method(const struct kennel_request *);
const char *kennel_request_path(const struct kennel_request *);
/* First value of key in the query, decoded; NULL if none.  *len may be NULL.
 * Valid until the request is answered. */
const char *kennel_request_query(struct kennel_request *, const char *key,
	    size_t *len);
/* What {name} of the route's path stands for in this path, decoded; NULL if there is
 * none.  A cookie, without quotes, decoded likewise.  As _query(). */
const char *kennel_request_param(struct kennel_request *, const char *name,
	    size_t *len);
const char *kennel_request_cookie(struct kennel_request *, const char *name,
	    size_t *len);
/* First field of this name, or NULL; valid until the request is answered. */
const char *kennel_request_header(struct kennel_request *, const char *name);
/* Field number i in order: its name, and *value; NULL behind the last. */
const char *kennel_request_header_at(struct kennel_request *, size_t i,
	    const char **value);
/* All of it, not terminated: *len says where it ends.  Valid until the request is
 * answered; one that is in a file is mapped. */
const char *kennel_request_body(const struct kennel_request *, size_t *len);
/* As the route says: who asks, and the group; "" where it has none.  len may be NULL. */
const char *kennel_request_uid(const struct kennel_request *, size_t *len);
const char *kennel_request_group(const struct kennel_request *, size_t *len);
/*
 * The client's address, ip:port, "[ip]:port" for IPv6, "unix:" for a Unix socket.
 * Behind trusted_proxies it is the one that they name; port 0: they named none.  With
 * "server:" before it it is another Kennel, which has come by the admin listener and has
 * proven that it has the servers' key.
 */
const char *kennel_request_peer(const struct kennel_request *);
/* Was it passed on by one of trusted_proxies?  Then the header fields that proxies
 * add are true. */
int	 kennel_request_proxied(const struct kennel_request *);
/* Did the client ask over TLS (https), as a trusted proxy says? */
int	 kennel_request_secure(const struct kennel_request *);
/*
 * NULL when the route has no group.  Else this process has a part of the group that the
 * route names until q is answered, whether or not any socket of the group is here, so
 * that kennel_replica_broadcast(), _whisper() and _publish_all() reach all of it.
 */
struct kennel_replica *kennel_request_replica(const struct kennel_request *);
/* Does it ask for an upgrade to WebSocket (rightly or not)? */
int	 kennel_request_upgrades(const struct kennel_request *);

/*
 * A header field for the response or the 101 to come.  0, or -1 with errno ENOMEM
 * or EINVAL: not a field, or one that the library writes itself (Connection,
 * Content-Length, Date, Keep-Alive, Proxy-Connection, Sec-WebSocket-Accept,
 * Sec-WebSocket-Extensions, TE, Trailer, Transfer-Encoding, Upgrade).  Where the
 * route has the key origin or protocols, what it says stands in place of
 * Access-Control-Allow-Origin and Sec-WebSocket-Protocol; kennel_socket_header()
 * tells the subprotocol that was chosen.
 */
int	 kennel_header(struct kennel_request *, const char *name,
	    const char *value);
/*
 * Answer; ends q.  type NULL: no Content-Type.  status 200..599.  If the
 * client has gone, nothing happens.  HEAD gets no body.  Where kennel_header() has given
 * an ETag or Last-Modified, a GET that would be answered with 200 is answered with 304
 * or 412 if it asks so.
 */
void	 kennel_respond(struct kennel_request *, int status, const char *type,
	    const char *body, size_t len);
/*
 * The same with length bytes (UINT64_MAX: the rest) of an open file, from offset on; fd
 * stays yours, and may be closed.  The kernel sends it, in the client's time; a file that
 * gets shorter meanwhile cuts the connection off.
 *
 * With status 200, a GET is answered as it asks: 206 or 416 for a Range (one; several are
 * answered with all of it), which If-Range may bind, 304 or 412 for If-None-Match,
 * If-Modified-Since, If-Match, If-Unmodified-Since.  ETag and Last-Modified are the
 * file's, unless kennel_header() gave others.
 */
void	 kennel_respond_fd(struct kennel_request *, int status,
	    const char *type, int fd, uint64_t offset, uint64_t length);
/* Answer with a file of the pages directory (name without ".."); 404 if it is
 * not there.  The type follows the name's ending, unless kennel_header() gave one. */
void	 kennel_respond_page(struct kennel_request *, const char *name);
/*
 * Upgrade to WebSocket; ends q.  A request that is no right handshake is answered
 * with 405, 426 or 400.  onopen follows, perhaps later.
 */
void	 kennel_connect(struct kennel_request *);

/*
 * Before it is connected or streamed: it is the connection of uid (1 to 512 bytes),
 * whatever the route says: in kennel_socket_uid(), for whispers, in all counts, in
 * Redis, for who is led where the uid is.  kennel_request_uid() stays who asked.  The
 * place that was chosen stays, too.  0, or -1 with errno EINVAL or ENOMEM.
 */
int	 kennel_request_become(struct kennel_request *, const char *uid,
	    size_t len);
typedef void	kennel_drop_cb(void *data);
/*
 * What kennel_socket_data() gives from onopen on.  If onopen is never called (the
 * client has gone, asked for no WebSocket, its group did not get ready), drop(data) is,
 * once, unless it is NULL; also from within this call.  0, or -1 with errno ENOMEM,
 * and data is yours.
 */
int	 kennel_request_set_data(struct kennel_request *, void *data,
	    kennel_drop_cb *drop);
/* The same, and kennel_connect().  -1: the request is still to be answered. */
int	 kennel_connect_as(struct kennel_request *, const char *uid, size_t len);
int	 kennel_connect_data(struct kennel_request *, void *data,
	    kennel_drop_cb *drop);

/* ---- bodies: long ones, and as they come ---- */

/*
 * Of a body that is longer than `body_memory` the whole is in a file without a name:
 * in memory, or in the directory `spool`.  Its descriptor, at its beginning, valid until
 * the request is answered: dup(2) it to keep it.  A shorter body is put into one.
 * *len may be NULL.  -1 with errno.
 */
int	 kennel_request_body_fd(struct kennel_request *, uint64_t *len);
/* Within onhead.  Its body goes to onbody as it comes, and is kept nowhere.  0, or -1
 * with errno EINVAL: its body has begun, or is there. */
int	 kennel_request_stream(struct kennel_request *);
/* Within onhead.  Another bound in bytes than `body_max`; 0: none.  Beyond it: 413,
 * before anything is read where its length is announced.  Returns as _stream(). */
int	 kennel_request_max(struct kennel_request *, uint64_t max);
/* From onhead to `receive`: the client is not read, and what it has sent waits at the
 * client's.  Nor is it asked to send (100 Continue).  And is read again. */
void	 kennel_request_pause(struct kennel_request *);
void	 kennel_request_resume(struct kennel_request *);
/* A pointer of the application's, from onhead to the answer; NULL at first. */
void	 kennel_request_attach(struct kennel_request *, void *);
void	*kennel_request_attached(const struct kennel_request *);

/* ---- streams: responses that go on ---- */

/*
 * Answer q with a response that goes on; ends q.  Its client becomes a socket like any
 * other: onopen follows, perhaps later; it is a member of its group, and each message
 * to it is a chunk of the response (for HTTP/1.0, bytes until the connection ends).
 * It sends nothing, so there is no onmessage; what it has to say comes by other requests.
 * KENNEL_BINARY only means that the bytes need not be UTF-8; an empty message is nothing.
 *
 * kennel_close() with 1000 ends the response well, with any other code it is cut
 * off, as it is where a client was too slow or the shard leaves: so a client knows
 * whether it has all.  That the client has gone is onclose with 1005, "client", or
 * onerror with 1006.
 *
 * status and type as in kennel_respond(); not 204, 205, 304.  HEAD gets the head.
 * Cache-Control: no-cache and X-Accel-Buffering: no are added unless
 * kennel_header() gave others.  Where the route says `stream = yes`, or the client
 * asks for text/event-stream, the place of its GET is found as for a WebSocket, new
 * replicas and shards included; of another request it is counted from here on,
 * over the limit where there is no room.
 */
void	 kennel_stream(struct kennel_request *, int status, const char *type);
/*
 * The same as server-sent events, what the browser's EventSource reads.  A message to
 * it, from whatever call, is an event without a name; a binary one is an event
 * "binary" in base64.  At its end it is told by an event "close", whose data is the
 * code and the reason.  kennel_request_header(q, "Last-Event-ID") is what the client
 * heard last, when it comes back.
 */
void	 kennel_events(struct kennel_request *);

enum kennel_kind { KENNEL_WEBSOCKET, KENNEL_STREAM, KENNEL_EVENTS };
enum kennel_kind kennel_socket_kind(const struct kennel_socket *);

struct kennel_event {
	const char	*id, *event;	/* one line each, or NULL */
	const char	*data;		/* UTF-8; any number of lines */
	size_t		 len;
	unsigned	 retry_ms;	/* until the client comes back; 0: its own */
};
/* To this client, a KENNEL_EVENTS.  0, or -1 with errno as kennel_send(), and EINVAL,
 * EILSEQ, ENOTSUP (another kind of socket). */
int	 kennel_send_event(struct kennel_socket *, const struct kennel_event *);
/*
 * What a stream is sent where nothing else was for `ping_interval`, so that no proxy
 * takes it for dead; len 0: nothing, as at first.  Events have a comment.  0, or -1
 * with errno ENOTCONN, EPIPE, ENOTSUP (no stream), ENOMEM.
 */
int	 kennel_heartbeat(struct kennel_socket *, const char *data, size_t len);

/* ---- sockets ---- */

#define KENNEL_BINARY	0x1	/* a binary message (default: text, which must
				   be UTF-8) */
#define KENNEL_SELF	0x2	/* to the sender's uid as well */
#define KENNEL_MORE	0x4	/* kennel_send() to a raw client: the message goes on
				   with the next one */
#define KENNEL_OTHERS	0x8	/* kennel_emit, kennel_broadcast: to the sender's
				   uid as well, but not to this very socket */
#define KENNEL_TOLD	0x10	/* kennel_send(), kennel_payload_new(): all neighbours
				   are told the same, kennel_tell(), see ontold */

/*
 * For calls made from a socket: err is 0 when all neighbours have acted,
 * ETIMEDOUT when one did not answer in time (10 s), ECANCELED when the socket
 * closed meanwhile.  While it is outstanding, the socket's next messages wait.
 * Always called, once, not from within the call itself, and before onclose.
 * When cancelled, it can promise no other: such a call returns -1, errno EPIPE.
 */
typedef void	kennel_done_cb(struct kennel_socket *, int err, void *arg);

/*
 * What one of these says is copied once, whoever hears it.  0, or -1 with errno: EPIPE
 * (closing), EAGAIN (it is on its way to another process), EILSEQ (text that is not
 * UTF-8), EINVAL (no data, and len is not 0), ENOMEM; ENOTCONN where a group is meant
 * and there is none.  For one who is slow nothing fails but kennel_send().
 */

/* To this client.  Also EMSGSIZE: it reads too slowly; it is closed, or misses this
 * message, as its route says. */
int	 kennel_send(struct kennel_socket *, const char *data, size_t len,
	    int flags);
/* To all sockets of its replica, without its uid's unless KENNEL_SELF. */
int	 kennel_emit(struct kennel_socket *, const char *data, size_t len,
	    int flags);
/* To all sockets of its group, on whatever shard. */
int	 kennel_broadcast(struct kennel_socket *, const char *data, size_t len,
	    int flags, kennel_done_cb *done, void *arg);
/* To all sockets of uid in its group; nothing if that is its own uid. */
int	 kennel_whisper(struct kennel_socket *, const char *uid, size_t uid_len,
	    const char *data, size_t len, int flags, kennel_done_cb *done,
	    void *arg);
/*
 * Close with this code (1000..1003, 1007..1014, 3000..4999; RFC 6455 7.4) and
 * reason (UTF-8 of at most 123 bytes; may be NULL).  0, or -1 with errno, and
 * nothing has happened: EINVAL (another code or reason), EPIPE (closing).
 */
int	 kennel_close(struct kennel_socket *, int code, const char *reason);

/* "" where its route gives none; len may be NULL.  Valid as long as the socket is, and
 * so is all text that is given of one. */
const char *kennel_socket_uid(const struct kennel_socket *, size_t *len);
/* As kennel_request_peer(), _proxied() and _secure(), of its handshake. */
const char *kennel_socket_peer(const struct kennel_socket *);
int	 kennel_socket_proxied(const struct kennel_socket *);
int	 kennel_socket_secure(const struct kennel_socket *);
/* A header that the route keeps (keep = ...), or NULL. */
const char *kennel_socket_header(const struct kennel_socket *,
	    const char *name);
/*
 * The same of its path, query and cookies: decoded, NULL if the route does not keep it
 * (keep = path:NAME query:KEY cookie:NAME), if it was not sent, is empty or has a NUL in
 * it.  A route that keeps none costs its sockets nothing; keep_max bounds all of it.
 */
const char *kennel_socket_param(const struct kennel_socket *,
	    const char *name);
const char *kennel_socket_query(const struct kennel_socket *,
	    const char *key);
const char *kennel_socket_cookie(const struct kennel_socket *,
	    const char *name);
/* No other socket of the node has it; it stays the same where the socket moves. */
uint64_t kennel_socket_id(const struct kennel_socket *);
/* When a message last came or was sent; ms since 1970. */
uint64_t kennel_socket_last(const struct kennel_socket *);
/* NULL when the route has no group. */
struct kennel_replica *kennel_socket_replica(const struct kennel_socket *);
/* A pointer of the application's, which frees what it points to; NULL at first. */
void	 kennel_socket_set_data(struct kennel_socket *, void *);
void	*kennel_socket_data(const struct kennel_socket *);

/* ---- sockets that move ---- */

/*
 * When workers are replaced, a process is emptied, or load is evened out, an open socket
 * goes to another process with its connection: its client notices nothing, hears
 * each message once and in order, and what it has begun to send is read on at the same
 * byte.  There it is another struct kennel_socket of the same kennel_socket_id(), uid
 * and topics, in another replica of its group; kennel_socket_data() is what thaw sets.
 *
 * It goes when none of its calls is outstanding.  Nothing of the old process may
 * point to it after onmoved: timers, lists, the arguments of calls of replicas.  In the
 * moment in which it goes, calls about it give -1, errno EAGAIN.  What
 * kennel_emit() and kennel_replica_emit() say is for those who are in that replica
 * then, except in onstep: what a step makes all replicas say, each socket hears once.
 *
 * What an application picks receivers for in each process reaches a socket on its way
 * once, too, where it does this: what it tells all neighbours, it sends to its own
 * sockets with KENNEL_TOLD.  That says that a socket which is leaving is to have it only
 * if it stays, and the call succeeds (0); where the socket comes to, ontold gives it.
 */
#define KENNEL_MOVED	1
#define KENNEL_STAYED	2

/* 0: it is here; KENNEL_LEAVING: frozen, and it may come back; KENNEL_COMING: thawed, and
 * ontold repeats what it is told meanwhile. */
#define KENNEL_LEAVING	1
#define KENNEL_COMING	2
int	 kennel_socket_way(const struct kennel_socket *);

/* Add bytes to the blob, up to 1 MiB.  0, or -1 with errno EINVAL, EMSGSIZE,
 * ENOMEM. */
int	 kennel_blob_add(struct kennel_blob *, const void *data, size_t len);
/*
 * Sockets on their way to this replica have numbers in the order in which they are
 * announced.  That of the latest, and in *oldest that of the first that has not come yet
 * (or stays away); 0: there is none.  So an application knows until when it may be told
 * of a word by ontold: until *oldest is beyond what was returned when the word came.
 */
uint64_t kennel_replica_expected(const struct kennel_replica *,
	    uint64_t *oldest);

/* ---- sockets that survive ---- */

/*
 * When a process dies, gatewayd gives its open sockets to others, with their
 * connections, uids and topics: the client notices nothing.  Whatever was under way is
 * lost: what the process had read, or was to write, completions, timers, what it had
 * in memory.  A socket is closed all the same (1012, or cut off) where a part of a
 * message was read or written, or where two processes in a row died while they worked
 * on one message of it.
 *
 * There thaw(KENNEL_RESUMED) makes the socket known, if it is given, and then
 * onresume may talk to the client.  An application with neither of them goes on only if it
 * has said that nothing hangs on a socket (moves is not 0); else its clients are cut
 * off.
 *
 * kennel_checkpoint() keeps up to 4096 bytes for that, in memory that survives: the last
 * that were given, never a part of them; len 0: none.  It costs no more than
 * copying them.  0, or -1 with errno, and those before stay: ENOTCONN (closing),
 * EINVAL, EMSGSIZE, ENOMEM, EAGAIN (it is on its way to another process), ENOTSUP (this
 * socket would not survive: it is one of kennel_dial(), or there is no room).  A socket
 * that moves takes it along; within thaw there may be another one.
 */
#define KENNEL_RESUMED	3
#define KENNEL_CHECKPOINT_MAX	4096	/* bytes */
int	 kennel_checkpoint(struct kennel_socket *, const void *data,
	    size_t len);

/* ---- raw TCP: a protocol of your own ---- */

/*
 * A [listener NAME] with the key app hands its connections over as they are, unread:
 * to that application, with the group and uid that the listener names.  onopen comes
 * first, what the client sends goes to ondata, its end to onend; onclose or onerror
 * comes last.  All calls for sockets are for these, too, and a group may have raw
 * clients and WebSockets.  What is sent to a raw client goes to it as it is, with
 * nothing before or behind it.  kennel_send() to one takes any bytes; for what a group
 * hears, KENNEL_BINARY says to its WebSockets what it is, as ever.
 *
 * Each kennel_send(), emit ... is one message, or with KENNEL_MORE a part of one
 * (send all parts from one callback; if one fails, none of the rest).  Whenever the
 * library ends a connection, it ends behind a whole message, unless the client does
 * not read on amid one: kennel_close() writes what waits, for six times
 * closing_timeout if the client keeps reading.  Its code and reason are for onclose
 * alone; the client sees an end of the stream.
 */

/* Is it a raw client? */
int	 kennel_socket_raw(const struct kennel_socket *);
/*
 * What its listener says: dialect, psk_file (a path) or a key of your own (they begin
 * with "app." or "x-").  NULL if it does not, or the client came otherwise.  Valid until
 * the callback returns.
 */
const char *kennel_socket_setting(const struct kennel_socket *,
	    const char *key);
/* Read nothing more of this client, raw or not, until kennel_resume(). */
void	 kennel_pause(struct kennel_socket *);
void	 kennel_resume(struct kennel_socket *);
/* Bytes that wait to be written to it. */
size_t	 kennel_socket_queued(const struct kennel_socket *);
/* The same, and those that its machine has not acknowledged yet. */
size_t	 kennel_socket_owed(const struct kennel_socket *);
/*
 * Cut it off when what was written to it is not acknowledged, or nothing of it is read,
 * within ms, as when its machine is lost, or its network is; 0: when the kernel gives up,
 * after a quarter of an hour.  (A silent one is asked after `ping_interval` in any case.)
 * 0, or -1 with errno: ENOTCONN, EPIPE (closing), EOPNOTSUPP (a Unix socket).
 */
int	 kennel_socket_patience(struct kennel_socket *, unsigned ms);

/*
 * A message that is made once and sent to many, each in its own way: as it is to raw
 * clients, framed (and compressed, once) to WebSockets.  flags: KENNEL_BINARY,
 * KENNEL_TOLD.  Text must be UTF-8.  NULL with errno EINVAL, EILSEQ, ENOMEM.  One reference; free gives
 * one back.  Once warm, none of these calls allocates memory for it.
 */
struct kennel_payload *kennel_payload_new(const char *data, size_t len,
	    int flags);
struct kennel_payload *kennel_payload_ref(struct kennel_payload *);
void	 kennel_payload_free(struct kennel_payload *);
/* The bytes of a new one, to be filled before it is sent; data of kennel_payload_new()
 * may be NULL with KENNEL_BINARY. */
char	*kennel_payload_data(struct kennel_payload *);
/* As kennel_send(). */
int	 kennel_send_payload(struct kennel_socket *, struct kennel_payload *);
/* To n sockets; those who are answered meanwhile come first, if there are very many.
 * Returns how many of them have it; who reads too slowly is treated as by
 * kennel_send(). */
size_t	 kennel_send_many(struct kennel_socket *const *to, size_t n,
	    struct kennel_payload *);
/* The same to a raw client with a head of its own before it, of at most 64 KiB: one
 * message. */
int	 kennel_send_headed(struct kennel_socket *, const char *head,
	    size_t head_len, struct kennel_payload *);

/*
 * Open a connection to another server, as host:port, [IPv6]:port or unix:/path.  It is
 * a raw client of app then (one that kennel_worker_main() got; it needs ondata), of no
 * group: onopen, where kennel_socket_data() is arg already, ondata and the others.
 * done (may be NULL) comes once, later: after onopen, with err 0; or with s NULL
 * and err, an errno: ETIMEDOUT (nobody has answered within ms; 0: 10 s), ECONNREFUSED
 * and its like, EHOSTUNREACH (the name has no address), ECONNABORTED (onopen said
 * no), ECANCELED (the process ends).  All addresses of the name are tried in turn.
 * Nothing blocks.  64 MiB may wait to be written to it.  Such a connection has no
 * place: it counts in no limit of the gateway,
 * which knows nothing of it, and ends with its process.  Returns 0, or -1 with errno
 * EINVAL, ENOMEM, EAGAIN, and done does not come.
 */
typedef void	kennel_dial_cb(struct kennel_socket *, int err, void *arg);
int	 kennel_dial(const struct kennel_app *app, const char *address,
	    unsigned ms, kennel_dial_cb *done, void *arg);

/* ---- replicas ---- */

typedef void	kennel_replica_done_cb(struct kennel_replica *, int err,
		    void *arg);

/*
 * As above, from nobody in particular: no one is left out.  Broadcast and whisper
 * return -1 with errno EAGAIN, and nothing is said to anybody, while more than 8 MiB
 * of the group wait for another process: no client can be paused for them, so
 * whoever asked for it is to come again (over HTTP: 503).  Other errors: ENOTCONN,
 * EILSEQ, EINVAL, ENOMEM.  done (which may be NULL) comes once if 0 was returned, not
 * from within, err as above; its replica is NULL if that has ended.
 */
int	 kennel_replica_emit(struct kennel_replica *, const char *data,
	    size_t len, int flags);
int	 kennel_replica_broadcast(struct kennel_replica *, const char *data,
	    size_t len, int flags, kennel_replica_done_cb *done, void *arg);
int	 kennel_replica_whisper(struct kennel_replica *, const char *uid,
	    size_t uid_len, const char *data, size_t len, int flags,
	    kennel_replica_done_cb *done, void *arg);

/* The group's name, valid as long as the replica is; len may be NULL. */
const char *kennel_replica_group(const struct kennel_replica *, size_t *len);
/* Not 0, and no other replica's, on whatever node, before or after. */
uint64_t kennel_replica_id(const struct kennel_replica *);
size_t	 kennel_replica_count(const struct kennel_replica *);	/* sockets */
size_t	 kennel_replica_neighbours(const struct kennel_replica *);
/* The id of neighbour i, in no order; 0 behind the last. */
uint64_t kennel_replica_neighbour(const struct kennel_replica *, size_t i);
/* The application, as it was given to kennel_worker_main() (a copy, perhaps). */
const struct kennel_app *kennel_replica_app(const struct kennel_replica *);
/* A pointer of the application's: made in onstart, let go of in onstop. */
void	 kennel_replica_set_data(struct kennel_replica *, void *);
void	*kennel_replica_data(const struct kennel_replica *);

/* ---- who is there ---- */

typedef void	kennel_each_socket_cb(struct kennel_socket *, void *arg);
/*
 * cb for each socket of this replica; of one uid in this replica.  cb may send, close,
 * subscribe: who leaves meanwhile is left out, and who comes.  0, or -1 with errno
 * ENOTCONN, EINVAL (no cb), ENOMEM.
 */
int	 kennel_replica_each(struct kennel_replica *,
	    kennel_each_socket_cb *cb, void *arg);
int	 kennel_replica_each_of(struct kennel_replica *, const char *uid,
	    size_t uid_len, kennel_each_socket_cb *cb, void *arg);

/*
 * The uids of the whole group, on whatever shard, each once, in the order of their
 * bytes, a page at a time: the first max (1 to 1024; 0: 1024) behind `after`, which is
 * empty at first and then the last one of the page before.  more: there are others
 * behind these.  err: 0; ETIMEDOUT, not all processes answered within deadline_ms (0:
 * 2 s), and theirs are missing; ECANCELED, this replica has ended (it is NULL then);
 * ENOMEM.  cb comes once, never from within.  Whoever was there all along is in exactly
 * one page.  0, or -1 with errno ENOTCONN, EINVAL, ENOMEM.
 */
typedef void	kennel_uids_cb(struct kennel_replica *,
		    const struct kennel_uid *uids, size_t n, int more, int err,
		    void *arg);
int	 kennel_replica_uids(struct kennel_replica *, const char *after,
	    size_t after_len, size_t max, unsigned deadline_ms,
	    kennel_uids_cb *cb, void *arg);
/*
 * kennel_close() all sockets of uid in the group, on whatever shard; who is opened
 * later is not closed.  done as for kennel_replica_broadcast().  0, or -1 with errno
 * ENOTCONN, EINVAL (no such code or reason; nobody is closed), ENOMEM.
 */
int	 kennel_close_uid(struct kennel_replica *, const char *uid,
	    size_t uid_len, int code, const char *reason,
	    kennel_replica_done_cb *done, void *arg);

/* ---- gossip: one answer from each neighbour ---- */

struct kennel_slot {
	uint64_t	 neighbour;	/* its replica id */
	const char	*data;		/* NULL when there is an error */
	size_t		 len;
	const char	*error;		/* "timeout", "gone", "overloaded", or its own
					   words */
};

/* n slots, one a neighbour; 0 and not an error without neighbours. */
typedef void	kennel_gossip_cb(struct kennel_socket *,
		    const struct kennel_slot *slots, size_t n, void *arg);
typedef void	kennel_replica_gossip_cb(struct kennel_replica *,
		    const struct kennel_slot *slots, size_t n, void *arg);

/*
 * Ask all neighbours; cb comes once, later, when all have answered or after
 * deadline_ms (0: 2000).  From a socket: its next messages wait, and cb comes
 * before its onclose.  From a replica: r is NULL if it has ended.  0, or -1 with errno,
 * and cb does not come: ENOTCONN, EPIPE, EAGAIN, EINVAL (no cb), ENOMEM.
 */
int	 kennel_gossip(struct kennel_socket *, const char *msg, size_t len,
	    unsigned deadline_ms, kennel_gossip_cb *cb, void *arg);
int	 kennel_replica_gossip(struct kennel_replica *r, const char *msg,
	    size_t len, unsigned deadline_ms, kennel_replica_gossip_cb *cb,
	    void *arg);
/* Each ends the answer, of which nothing is left then.  If the asker's link or replica
 * has ended meanwhile, or it has stopped waiting, nobody hears it.  text: terminated. */
void	 kennel_answer(struct kennel_answer *, const char *data, size_t len);
void	 kennel_answer_error(struct kennel_answer *, const char *text);

/* ---- telling: words between the replicas of a group ---- */

/*
 * Tell the application of one neighbour, or of all (0): ontell() there gets head
 * and data, neither of which reaches a client by itself.  For what the library knows
 * no call for: receivers that each process picks by tables of its own.
 *
 * In order with all else that is said from here: who broadcasts, tells and
 * whispers is heard in that order by every neighbour.  One that gets lost between
 * two processes counts as a broadcast that does: the clients there are closed (1013),
 * onmissed is called.
 *
 * From a socket: it is not read while more than 8 MiB of its group wait for a
 * process.  From a replica: 1 is returned when it is so, and the caller should
 * wait for oneased().  0, or -1 with errno: ENOENT (no such neighbour), EMSGSIZE (head over
 * 1 MiB, or all over 64 MiB), ENOTCONN, EPIPE (the socket is closing), ENOMEM.
 */
int	 kennel_tell(struct kennel_socket *, uint64_t neighbour,
	    const char *head, size_t head_len, const char *data, size_t len);
int	 kennel_replica_tell(struct kennel_replica *, uint64_t neighbour,
	    const char *head, size_t head_len, const char *data, size_t len);

/* ---- topics: named sets of sockets of a group ---- */

/* Topics end with the socket.  Names are terminated, of 1 to 1024 bytes.  A call takes time
 * in proportion to the topics that the socket has: where clients choose them, bound how many
 * (a hundred or so).  0, or -1 with errno: EEXIST, ENOENT, EINVAL, ENOTCONN (no group, or
 * closing), ENOMEM. */
int	 kennel_subscribe(struct kennel_socket *, const char *topic);
int	 kennel_unsubscribe(struct kennel_socket *, const char *topic);
/* Number i of its topics, oldest first; NULL behind the last; in onclose those it
 * had.  Valid until it unsubscribes. */
const char *kennel_topic(const struct kennel_socket *, size_t i);
/*
 * As kennel_broadcast(), to those who have subscribed to at least one of the
 * topics (a list that ends with NULL), once.  Also EINVAL: no topics, or one that is no
 * name.
 */
int	 kennel_publish(struct kennel_socket *, const char *const *topics,
	    const char *data, size_t len, int flags, kennel_done_cb *done,
	    void *arg);
/* As kennel_replica_emit(): to this process's part of the group. */
int	 kennel_replica_publish(struct kennel_replica *,
	    const char *const *topics, const char *data, size_t len,
	    int flags);
/* As kennel_replica_broadcast(): to the whole group. */
int	 kennel_replica_publish_all(struct kennel_replica *,
	    const char *const *topics, const char *data, size_t len,
	    int flags, kennel_replica_done_cb *done, void *arg);

/* ---- shared state: one order for all ---- */

/*
 * A group may have a state: named maps of keys and values, of which every
 * replica has a copy.  It changes by steps.  kennel_step() sends one to the
 * replica that decides, wherever that is; there decide() reads the state and
 * writes to it.  What it wrote is first made durable in Redis, all of a step or
 * nothing, and then takes effect in every replica, in the same order, followed by
 * onstep.  So a counter is a decide() that reads, adds and writes, and an onstep
 * that tells those who listen.
 *
 * When the process that decides dies, another takes over within a second: no step
 * that took effect is lost, none takes effect twice, and those under way are
 * decided by the successor.  A process that was replaced cannot write.
 *
 * A map whose name begins with '~' is in memory only: it ends with the group's
 * last replica.  With --redis none all are.  In Redis a map is a hash,
 * kennel:store:<group>:<application>:<map>.
 *
 * Bounds: 1 MiB a step; 1024, 4096 and 1048576 bytes a map's name, a key, a
 * value; 2000 changes a step; `store_max` of [worker] (16 MiB) a group's state.
 */
int	 kennel_step(struct kennel_socket *, const char *data, size_t len,
	    kennel_done_cb *done, void *arg);
/* r may be NULL.  done's replica is NULL if it has ended.  From a replica several
 * steps may be under way; they are decided in order. */
int	 kennel_replica_step(struct kennel_replica *r, const char *data,
	    size_t len, kennel_replica_done_cb *done, void *arg);
/*
 * done comes after onstep here.  err: 0; what decide returned; EAGAIN: it has to be
 * written, and Redis is away; ENOSPC: the state would be too large; ETIMEDOUT:
 * no answer in 10 s, or Redis is away and who decided before has ended with it, it may
 * or may not take effect; ECANCELED; EBADMSG: two processes
 * in a row died or hung amid decide or onstep of this very step, so it is not tried
 * again.  Then it has written nothing; only if it was in Redis already when onstep
 * failed, the state has it and onstep is called for it nowhere.  An ongone of which
 * two processes die is not called again either, nor, in that group, an onreset.  A call fails
 * with -1 and errno ENOTSUP (no decide), EMSGSIZE, ENOTCONN, ENOMEM.
 */

/* The state, as of the last step here: NULL if the key is not there; terminated;
 * valid until the callback returns. */
const char *kennel_get(const struct kennel_replica *, const char *map,
	    const char *key, size_t key_len, size_t *len);
/* Keys of the map; takes the same time for any number of them. */
size_t	 kennel_count(const struct kennel_replica *, const char *map);
typedef void	kennel_each_cb(const char *key, size_t key_len,
		    const char *value, size_t len, void *arg);
/* In no order.  cb may not call kennel_put(). */
void	 kennel_each(const struct kennel_replica *, const char *map,
	    kennel_each_cb *cb, void *arg);
/*
 * Some of them, about max, for maps that may be long: those from *cursor on, which
 * is 0 at first and 0 again behind the last.  A key that came may come again if the
 * map has grown meanwhile; none that was there all along is left out.
 */
void	 kennel_some(const struct kennel_replica *, const char *map,
	    uint64_t *cursor, size_t max, kennel_each_cb *cb, void *arg);

/* The same within decide and ongone: with what was written meanwhile. */
const char *kennel_get_in(const struct kennel_step *, const char *map,
	    const char *key, size_t key_len, size_t *len);
size_t	 kennel_count_in(const struct kennel_step *, const char *map);
void	 kennel_each_in(const struct kennel_step *, const char *map,
	    kennel_each_cb *cb, void *arg);
void	 kennel_some_in(const struct kennel_step *, const char *map,
	    uint64_t *cursor, size_t max, kennel_each_cb *cb, void *arg);
/* Write; value NULL: remove.  0, or -1 with errno (EINVAL: no name of a map, they
 * do not begin with '.' or "~."; EMSGSIZE, E2BIG, ENOSPC, ENOMEM): the step is refused. */
int	 kennel_put(struct kennel_step *, const char *map, const char *key,
	    size_t key_len, const char *value, size_t len);
/*
 * The same, and the key's time ends in ms (0: never; kennel_put() says so, too, of a key
 * that had a time).  Then whoever decides for the group removes the key, by a step of
 * its own: in every replica in the same place of the order, with onstep, whose data is
 * empty.  That is within a second after the time, with very many such keys a little later;
 * until then the key is there.  Where nobody was connected or Redis was away, it is made
 * up for.  Counts as two writes.  EMSGSIZE: map and key are more than 4095 bytes together.
 */
int	 kennel_put_ttl(struct kennel_step *, const char *map, const char *key,
	    size_t key_len, const char *value, size_t len, uint64_t ms);
/* How often the step may still write. */
size_t	 kennel_put_left(const struct kennel_step *);
/* How many bytes the group's state may still grow (`store_max`); what the step
 * removes counts from the next steps on. */
size_t	 kennel_room_left(const struct kennel_step *);
/*
 * What this step writes is worth no more than a visit: a state to which no other
 * steps have written is forgotten a day (`store_visit_ttl` of [worker]) after its
 * last use.  The first step that does not say so keeps all of it, for ever or for
 * `store_ttl` after its last use.  In use is a state while its group has sockets.
 */
void	 kennel_passing(struct kennel_step *);

/* ---- timers, surroundings ---- */

typedef void	kennel_timer_cb(void *arg);

/* cb(arg) from the loop, after ms, once, or every ms if repeat; it may free the timer,
 * which is to be freed in any case, also when it has gone off.  NULL with errno EINVAL (no
 * cb), ENOMEM. */
struct kennel_timer *kennel_timer_new(unsigned ms, int repeat,
	    kennel_timer_cb *cb, void *arg);
void	 kennel_timer_free(struct kennel_timer *);

/* ---- other descriptors, other threads ---- */

#define KENNEL_READ	0x1
#define KENNEL_WRITE	0x2
typedef void	kennel_watch_cb(int fd, int events, void *arg);

/*
 * Call cb from the loop, again and again, while fd can be read, or written, as events
 * say; what cb gets is what is possible (both, of what was asked, after an error or
 * when the other side has closed).  cb does not wait either: fd should be
 * non-blocking.  fd stays yours.  Free the watch before you close fd: afterwards it
 * hears nothing, or what happens to the file that gets this number next.  NULL with
 * errno: EINVAL, EBADF, EPERM (files and directories are always ready), EEXIST (it is
 * watched, or a watch of a closed descriptor of this number was not freed), ENOMEM.
 */
struct kennel_watch *kennel_watch(int fd, int events, kennel_watch_cb *cb,
	    void *arg);
/* Watch for these from now on; 0: for nothing.  0, or -1 with errno. */
int	 kennel_watch_change(struct kennel_watch *, int events);
/* No cb any more, not even one that is due; also from within cb. */
void	 kennel_watch_free(struct kennel_watch *);

typedef void	kennel_work_cb(void *arg);
typedef void	kennel_work_done_cb(int err, void *arg);

/*
 * Run job(arg) in another thread, for what would keep the loop: reading a file,
 * compressing, a library that waits.  job may use nothing that the loop's thread
 * uses at the same time, and no function of kennel.h but kennel_time().  Then
 * done(0, arg) is called from the loop; done may be NULL.  Jobs begin in the order
 * given, as many at once as there are threads (`work_threads` of [worker], 4).
 * 0, or -1 with errno, and nothing is called: EAGAIN while `work_queue` (1000) jobs
 * wait for a thread, ECANCELED when the process ends, EINVAL, ENOMEM.
 *
 * When the process ends, jobs that have begun are waited for, and those that have
 * not are dropped: done(ECANCELED, arg) is called for them, still before sockets are
 * cut off, replicas stop, and onexit.  A process whose jobs do not return within
 * 5 s ends without done for these, and without onexit.
 */
int	 kennel_work(kennel_work_cb *job, kennel_work_done_cb *done, void *arg);

uint64_t kennel_time(void);		/* milliseconds since 1970 */
/* Texts that are valid for ever. */
const char *kennel_node(void);		/* this machine's name in the cluster */
const char *kennel_address(void);	/* this process: "node/slot#incarnation" */
unsigned kennel_slot(void);		/* its number on the node */
const char *kennel_version(void);	/* of the library: "0.1.0" */
/* A key of [worker] in the configuration, or NULL; from onlaunch on.  The text, terminated,
 * stays as long as the process; if the configuration changes and the gateway starts again, a
 * later call gives another. */
const char *kennel_option(const char *key);
/*
 * One line to the log: at info, or at a level of its own.  warn: somebody should act;
 * info: what happens to the process; debug: what happens to one client.  gatewayd's
 * --log-level, and kennelctl log-level while it runs, say which are written; a number beyond
 * these is the nearest of them.
 */
#define KENNEL_LOG_WARN		0
#define KENNEL_LOG_INFO		1
#define KENNEL_LOG_DEBUG	2
void	 kennel_log(const char *fmt, ...)
#ifdef __GNUC__
	    __attribute__((format(printf, 1, 2)))
#endif
	    ;
void	 kennel_log_at(int level, const char *fmt, ...)
#ifdef __GNUC__
	    __attribute__((format(printf, 2, 3)))
#endif
	    ;
/* The last level that is written: so that nothing costly is made for no line. */
int	 kennel_log_level(void);

#ifdef __cplusplus
}
#endif
#endif
