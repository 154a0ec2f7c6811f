/*
 * kennel-ape.h - functions that browsers call, in a worker for Kennel.
 *
 * A page with the client script of api-ape (api/ape.js) writes
 *
 *	const n = await api.orders.count({ open: true })
 *	api.on('price', ({ data }) => show(data))
 *
 * and this worker serves it:
 *
 *	#include <kennel-ape.h>
 *
 *	static void
 *	orders_count(struct ape_call *c)
 *	{
 *		int	 open = ape_true(ape_member(ape_argument(c), "open"));
 *
 *		ape_reply(c, ape_number(c, open ? 3 : 17));
 *	}
 *
 *	static int
 *	launch(const struct kennel_app *app)
 *	{
 *		return (ape_controller("orders/count", orders_count));
 *	}
 *
 *	int
 *	main(int argc, char **argv)
 *	{
 *		static const struct kennel_app app = {
 *			APE_APPLICATION, .onlaunch = launch,
 *		};
 *
 *		return (kennel_worker_main(argc, argv, &app, 1));
 *	}
 *
 * Its route (see the README, "Functions that browsers call") has a group: all clients
 * of the group, on whatever shards, are one population.  What kennel.h says of threads,
 * callbacks and memory holds here, too.
 */
#ifndef KENNEL_APE_H
#define KENNEL_APE_H

#include <stddef.h>
#include <stdint.h>
#include "kennel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define APE_ID 20		/* characters of a client's or session's id */

struct ape_client;		/* a connected browser (WebSocket or stream) */
struct ape_call;		/* of a controller, to be answered */
struct ape_value;		/* what JSON and its tags can say; read only */

/* ---- controllers ---- */

/* Must lead to exactly one ape_reply() or ape_fail(), now or later. */
typedef void	ape_controller_fn(struct ape_call *);

/*
 * Browsers call it by this name: "users/list" is api.users.list().  Names are in
 * lower case, without a '/' in front; another fn for a name that there is takes its
 * place.  0, or -1 with errno EINVAL, ENOMEM.
 */
int	 ape_controller(const char *name, ape_controller_fn *fn);

/* What the browser gave, or NULL: nothing.  Valid until the call is answered. */
const struct ape_value *ape_argument(const struct ape_call *);
/* Its name, as it was registered; this and the other texts of a call are terminated and
 * valid until the call is answered. */
const char *ape_endpoint(const struct ape_call *);
/* The caller's id, by which it is pushed to, and that of its session (the cookie
 * apeClientId), which all tabs of a browser share. */
const char *ape_client_id(const struct ape_call *);
const char *ape_session(const struct ape_call *);
/* The value of the cookie sessionId, which is the site's own; NULL if none. */
const char *ape_session_id(const struct ape_call *);
/* {browser: {name, version}, os: {name, version}, device: {type, vendor, model}} as the
 * caller's User-Agent tells. */
const struct ape_value *ape_agent(struct ape_call *);
/* The caller; NULL: it has gone, or called without being connected. */
struct ape_client *ape_caller(const struct ape_call *);
/* The caller's group here; NULL: it has ended meanwhile. */
struct kennel_replica *ape_replica(const struct ape_call *);

/* Answer; ends the call.  value NULL: nothing (undefined).  Nothing happens if the
 * client has gone. */
void	 ape_reply(struct ape_call *, const struct ape_value *value);
/* The call fails: the browser's promise is rejected with this text. */
void	 ape_fail(struct ape_call *, const char *text);

/* ---- values: reading.  NULL stands for undefined everywhere ---- */

enum ape_type {
	APE_UNDEFINED, APE_NULL, APE_BOOLEAN, APE_NUMBER, APE_STRING, APE_ARRAY,
	APE_OBJECT, APE_DATE, APE_REGEXP, APE_ERROR, APE_SET, APE_MAP,
	APE_BINARY,		/* uploaded, see ape_bytes() */
	APE_FILE		/* that clients share: its id */
};

enum ape_type ape_type(const struct ape_value *);
int	 ape_true(const struct ape_value *);	/* as JavaScript has it */
/* A number, or a date in ms since 1970; NaN if it is neither. */
double	 ape_to_number(const struct ape_value *);
/*
 * A string, an expression ("/source/flags"), a shared file's id; NULL if it is none of
 * them.  UTF-8, but for halves of surrogate pairs, which are three bytes each.
 * Terminated; len may be NULL.
 */
const char *ape_text(const struct ape_value *, size_t *len);
/* Elements of an array or set; members of an object or map; of an error its name,
 * message and stack. */
size_t	 ape_count(const struct ape_value *);
/* Number i, from 0; takes as long as there are others in front.  Or one after the other.
 * NULL behind the last. */
const struct ape_value *ape_at(const struct ape_value *, size_t i);
const struct ape_value *ape_first(const struct ape_value *);
const struct ape_value *ape_next(const struct ape_value *);
/* The name of a member, "" if it is none; len may be NULL.  And the member of that name,
 * or NULL. */
const char *ape_name(const struct ape_value *, size_t *len);
const struct ape_value *ape_member(const struct ape_value *, const char *name);
/* Binary that was uploaded: its bytes, or a descriptor of a file that has them, which
 * stays the library's (dup(2) it to keep it).  NULL, -1: it is none. */
const char *ape_bytes(const struct ape_value *, size_t *len);
int	 ape_descriptor(const struct ape_value *, uint64_t *size);

/* ---- values: making.  They live until the call is answered ---- */

/* Without memory each gives NULL, and the answer says so. */
struct ape_value *ape_null(struct ape_call *);
struct ape_value *ape_boolean(struct ape_call *, int v);
struct ape_value *ape_number(struct ape_call *, double v);
struct ape_value *ape_date(struct ape_call *, double ms);
struct ape_value *ape_string(struct ape_call *, const char *utf8);
struct ape_value *ape_string_n(struct ape_call *, const char *utf8, size_t len);
struct ape_value *ape_array(struct ape_call *);
struct ape_value *ape_object(struct ape_call *);
struct ape_value *ape_set(struct ape_call *);
struct ape_value *ape_map(struct ape_call *);
struct ape_value *ape_error(struct ape_call *, const char *name,
	    const char *message);
struct ape_value *ape_undefined(struct ape_call *);	/* within an array */
/* Binary: the browser gets an ArrayBuffer, which it fetches by HTTP.  A copy of these
 * bytes, or all of a file (fd stays yours). */
struct ape_value *ape_binary(struct ape_call *, const void *data, size_t len);
struct ape_value *ape_file(struct ape_call *, int fd);
/* Put v (a copy that shares what is in it) into an object or map; add it to an
 * array or set.  What it points to elsewhere is written in its place. */
void	 ape_put(struct ape_call *, struct ape_value *o, const char *name,
	    const struct ape_value *v);
void	 ape_add(struct ape_call *, struct ape_value *a,
	    const struct ape_value *v);

/* ---- pushes: api.on(type, ...) in the browser ---- */

/* To all clients of the group, the caller included, or to all but the caller.  0, or
 * -1 with errno, as kennel_broadcast(). */
int	 ape_everyone(struct ape_call *, const char *type,
	    const struct ape_value *data);
int	 ape_others(struct ape_call *, const char *type,
	    const struct ape_value *data);
/* To this client, which is here.  0, or -1 with errno, as kennel_send(). */
int	 ape_push(struct ape_client *, const char *type,
	    const struct ape_value *data);
/* To the client of that id, on whatever shard.  sent is called once, perhaps from
 * within, unless the call fails: did one get it?  sent may be NULL. */
typedef void	ape_sent_cb(int reached, void *arg);
int	 ape_to(struct kennel_replica *, const char *client_id, const char *type,
	    const struct ape_value *data, ape_sent_cb *sent, void *arg);
/* From nobody in particular; all but the client of that id, which may be NULL.  Returns as
 * ape_to(): 0, or -1 with errno EINVAL (no type, or no id), ENOTCONN (the group has
 * ended), ENOMEM. */
int	 ape_broadcast(struct kennel_replica *, const char *type,
	    const struct ape_value *data, const char *except);

/*
 * Values without a call, for pushes that a timer makes: a call that nobody has made.
 * End it by ape_reply(), which says nothing.  NULL without memory.
 */
struct ape_call *ape_values(struct kennel_replica *);

/* ---- clients ---- */

/* Those of this process. */
typedef void	ape_each_cb(struct ape_client *, void *arg);
void	 ape_each(struct kennel_replica *, ape_each_cb *cb, void *arg);
/* The ids of all, on all shards: n terminated strings, sorted, each once.  Called once,
 * later.  missing: so many shards did not answer.  0, or -1 with errno EINVAL (no cb),
 * ENOTCONN, ENOMEM, and cb is not called. */
typedef void	ape_ids_cb(const char *const *ids, size_t n, size_t missing,
		    void *arg);
int	 ape_ids(struct kennel_replica *, ape_ids_cb *cb, void *arg);

/* Its id, terminated; and its connection, for kennel.h's calls, but for the data.  Valid
 * until ondisconnect, or onmoved, has returned. */
const char *ape_id(const struct ape_client *);
struct kennel_socket *ape_socket(const struct ape_client *);
/* What an application keeps for a client ("embed"), and frees; NULL at first. */
void	 ape_set_data(struct ape_client *, void *data);
void	*ape_data(const struct ape_client *);

/* ---- hooks, each of which may be NULL ---- */

struct ape_hooks {
	/*
	 * A client is connected, and counted.  0: it is served; 1: its calls wait
	 * until ape_ready(); -1: it is closed.  What is pushed to it here comes first.
	 */
	int	(*onconnect)(struct ape_client *);
	/* A call comes, before its controller is called; and it is answered: err, or
	 * a result that may be NULL. */
	void	(*onreceive)(struct ape_call *);
	void	(*onreply)(struct ape_call *, const char *err,
		    const struct ape_value *result);
	/* Something is pushed to this client.  With this hook each client's copy is
	 * made apart, also of what all hear. */
	void	(*onsend)(struct ape_client *, const char *type,
		    const struct ape_value *data);
	/* A client has sent what is no call.  It stays connected. */
	void	(*onerror)(struct ape_client *, const char *what);
	void	(*ondisconnect)(struct ape_client *, const struct kennel_close *);
	/*
	 * Clients move to other processes ("sockets that move" in kennel.h), with all that
	 * the library knows of them, between their calls.  moves is the version of what
	 * freeze writes, and the highest that thaw reads.  0: who has data (ape_set_data()),
	 * or whom onconnect or ondisconnect has to do with, stays; without any of these
	 * clients move by themselves.  freeze: add to the blob what the program knows of
	 * the client, and change nothing; 0, or -1 with errno EAGAIN, ENOTSUP.  thaw, in the
	 * other process: make that known, tell nobody; 0, or -1: it stays where it was.
	 * onmoved: the last that is heard of it here, in place of ondisconnect.  how: as
	 * kennel_app's.  When a process dies, those of its clients who waited for no answer
	 * go on elsewhere: there thaw gets KENNEL_RESUMED and no bytes.
	 */
	unsigned moves;
	int	(*freeze)(struct ape_client *, struct kennel_blob *);
	int	(*thaw)(struct ape_client *, const char *data, size_t len, int how);
	void	(*onmoved)(struct ape_client *, int how);
};

/* For all clients of this process; valid for ever.  NULL: none. */
void	 ape_set_hooks(const struct ape_hooks *);
void	 ape_ready(struct ape_client *);

/* ---- the application's callbacks, for struct kennel_app ---- */

int	 ape_onstart(struct kennel_replica *);
void	 ape_onstop(struct kennel_replica *);
void	 ape_onhead(struct kennel_request *);
void	 ape_onbody(struct kennel_request *, const char *data, size_t len);
void	 ape_onabort(struct kennel_request *);
void	 ape_receive(struct kennel_request *);
int	 ape_onopen(struct kennel_socket *);
void	 ape_onmessage(struct kennel_socket *, const struct kennel_message *);
void	 ape_onclose(struct kennel_socket *, const struct kennel_close *);
void	 ape_ongossip(struct kennel_replica *, struct kennel_answer *,
	    const char *msg, size_t len);
void	 ape_onpressure(struct kennel_socket *, int high);
void	 ape_ontell(struct kennel_replica *, uint64_t neighbour,
	    const struct kennel_word *);
int	 ape_onfreeze(struct kennel_socket *, struct kennel_blob *);
int	 ape_onthaw(struct kennel_socket *, const char *data, size_t len, int how);
void	 ape_onmoved(struct kennel_socket *, int how);
void	 ape_ontold(struct kennel_socket *, uint64_t neighbour,
	    const struct kennel_word *);

/* All of them; and all but receive, for one that answers other paths, too. */
#define APE_CALLBACKS							\
	.onstart = ape_onstart, .onstop = ape_onstop,			\
	.onhead = ape_onhead, .onbody = ape_onbody,			\
	.onabort = ape_onabort, .onpressure = ape_onpressure,		\
	.pressure_high = 256 << 10, .onopen = ape_onopen,		\
	.onmessage = ape_onmessage, .onclose = ape_onclose,		\
	.ongossip = ape_ongossip, .ontell = ape_ontell,			\
	.moves = 1, .freeze = ape_onfreeze, .thaw = ape_onthaw,		\
	.onmoved = ape_onmoved, .ontold = ape_ontold
#define APE_APPLICATION	APE_CALLBACKS, .receive = ape_receive

#ifdef __cplusplus
}
#endif
#endif
