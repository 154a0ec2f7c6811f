/*
 * A worker that makes every call of kennel.h with NULL for each pointer, and with
 * what a route without a group gives.  Whoever comes by HTTP gets "ok", or the line
 * of the first call that did not do what the header says.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kennel.h>

static int	 wrong;		/* line of the first wrong call; 0: none */

#define IS(x)		((x) ? (void)0 : (void)(wrong = wrong ? wrong : __LINE__))
#define FAILS(e, x)	(errno = 0, IS((x) == -1 && errno == (e)))

static void
done(struct kennel_socket *s, int err, void *arg)
{
	(void)s, (void)err, (void)arg;
}

static void
replica_done(struct kennel_replica *r, int err, void *arg)
{
	(void)r, (void)err, (void)arg;
}

static void
each(const char *key, size_t key_len, const char *value, size_t len, void *arg)
{
	(void)key, (void)key_len, (void)value, (void)len, (void)arg;
}

static void
slots(struct kennel_socket *s, const struct kennel_slot *all, size_t n,
    void *arg)
{
	(void)s, (void)all, (void)n, (void)arg;
}

static void
replica_slots(struct kennel_replica *r, const struct kennel_slot *all,
    size_t n, void *arg)
{
	(void)r, (void)all, (void)n, (void)arg;
}

static void
no_request(void)
{
	const char	*value = "";
	size_t		 len = 1;

	IS(strcmp(kennel_request_method(NULL), "") == 0);
	IS(strcmp(kennel_request_path(NULL), "") == 0);
	IS(kennel_request_query(NULL, "a", &len) == NULL);
	IS(kennel_request_header(NULL, "a") == NULL);
	IS(kennel_request_header_at(NULL, 0, &value) == NULL);
	IS(strcmp(kennel_request_body(NULL, &len), "") == 0 && len == 0);
	IS(strcmp(kennel_request_uid(NULL, &len), "") == 0 && len == 0);
	IS(strcmp(kennel_request_group(NULL, &len), "") == 0 && len == 0);
	IS(strcmp(kennel_request_peer(NULL), "") == 0);
	IS(kennel_request_replica(NULL) == NULL);
	IS(kennel_request_upgrades(NULL) == 0);
	FAILS(ENOTCONN, kennel_header(NULL, "a", "b"));
	kennel_respond(NULL, 200, NULL, "x", 1);
	kennel_respond_page(NULL, "front.html");
	kennel_connect(NULL);
}

static void
no_socket(void)
{
	static const char *const topics[] = { "a", NULL };
	size_t		 len = 1;

	FAILS(ENOTCONN, kennel_send(NULL, "x", 1, 0));
	FAILS(ENOTCONN, kennel_emit(NULL, "x", 1, 0));
	FAILS(ENOTCONN, kennel_broadcast(NULL, "x", 1, 0, done, NULL));
	FAILS(ENOTCONN, kennel_whisper(NULL, "u", 1, "x", 1, 0, done, NULL));
	FAILS(ENOTCONN, kennel_gossip(NULL, "x", 1, 0, slots, NULL));
	FAILS(ENOTCONN, kennel_publish(NULL, topics, "x", 1, 0, done, NULL));
	FAILS(ENOTCONN, kennel_tell(NULL, 0, "x", 1, "y", 1));
	IS(kennel_send_many(NULL, 1, NULL) == 0);
	FAILS(ENOTCONN, kennel_step(NULL, "x", 1, done, NULL));
	FAILS(ENOTCONN, kennel_subscribe(NULL, "a"));
	FAILS(ENOTCONN, kennel_unsubscribe(NULL, "a"));
	FAILS(ENOTCONN, kennel_close(NULL, 1000, NULL));
	IS(strcmp(kennel_socket_uid(NULL, &len), "") == 0 && len == 0);
	IS(strcmp(kennel_socket_peer(NULL), "") == 0);
	IS(kennel_socket_header(NULL, "a") == NULL);
	IS(kennel_socket_id(NULL) == 0);
	IS(kennel_socket_last(NULL) == 0);
	IS(kennel_socket_replica(NULL) == NULL);
	kennel_socket_set_data(NULL, &wrong);
	IS(kennel_socket_data(NULL) == NULL);
	IS(kennel_topic(NULL, 0) == NULL);
}

/* r: NULL, from a request or a socket without a group. */
static void
no_replica(struct kennel_replica *r)
{
	static const char *const topics[] = { "a", NULL };
	size_t		 len = 1;

	IS(r == NULL);
	FAILS(ENOTCONN, kennel_replica_emit(r, "x", 1, 0));
	FAILS(ENOTCONN, kennel_replica_broadcast(r, "x", 1, 0, replica_done,
	    NULL));
	FAILS(ENOTCONN, kennel_replica_whisper(r, "u", 1, "x", 1, 0,
	    replica_done, NULL));
	FAILS(ENOTCONN, kennel_replica_tell(r, 0, "x", 1, "y", 1));
	FAILS(ENOTCONN, kennel_replica_gossip(r, "x", 1, 0, replica_slots,
	    NULL));
	FAILS(ENOTCONN, kennel_replica_publish(r, topics, "x", 1, 0));
	FAILS(ENOTCONN, kennel_replica_step(r, "x", 1, replica_done, NULL));
	IS(kennel_get(r, "m", "k", 1, &len) == NULL && len == 0);
	IS(kennel_count(r, "m") == 0);
	kennel_each(r, "m", each, NULL);
	IS(strcmp(kennel_replica_group(r, &len), "") == 0 && len == 0);
	IS(kennel_replica_id(r) == 0);
	IS(kennel_replica_count(r) == 0);
	IS(kennel_replica_neighbour(r, 0) == 0);
	IS(kennel_replica_app(r) == NULL);
	IS(kennel_replica_neighbours(r) == 0);
	kennel_replica_set_data(r, &wrong);
	IS(kennel_replica_data(r) == NULL);
}

static void
no_step(void)
{
	size_t	 len = 1;

	IS(kennel_get_in(NULL, "m", "k", 1, &len) == NULL && len == 0);
	IS(kennel_count_in(NULL, "m") == 0);
	kennel_each_in(NULL, "m", each, NULL);
	FAILS(ENOTCONN, kennel_put(NULL, "m", "k", 1, "v", 1));
	IS(kennel_put_left(NULL) == 0);
	kennel_answer(NULL, "x", 1);
	kennel_answer_error(NULL, "x");
	IS(kennel_timer_new(1, 0, NULL, NULL) == NULL && errno == EINVAL);
	kennel_timer_free(NULL);
	IS(kennel_option(NULL) == NULL);
	kennel_log(NULL);
}

static void
receive(struct kennel_request *q)
{
	char	 text[64];

	if (kennel_request_upgrades(q)) {
		kennel_connect(q);
		return;
	}
	no_request();
	no_socket();
	no_replica(NULL);
	no_replica(kennel_request_replica(q));
	no_step();
	IS(kennel_request_query(q, NULL, NULL) == NULL);
	IS(kennel_request_header(q, NULL) == NULL);
	IS(kennel_request_header_at(q, 0, NULL) != NULL);
	FAILS(EINVAL, kennel_header(q, NULL, "b"));
	FAILS(EINVAL, kennel_header(q, "a", NULL));
	if (strcmp(kennel_request_path(q), "/page") == 0) {
		kennel_respond_page(q, NULL);
		return;
	}
	snprintf(text, sizeof(text), wrong == 0 ? "ok" : "line %d", wrong);
	kennel_respond(q, 200, "text/plain", text, strlen(text));
}

/* A socket without a group: what is about the group fails. */
static void
onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	static const char *const topics[] = { "a", NULL };
	char	 text[64];

	(void)m;
	no_replica(kennel_socket_replica(s));
	FAILS(ENOTCONN, kennel_emit(s, "x", 1, 0));
	FAILS(ENOTCONN, kennel_broadcast(s, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_whisper(s, "u", 1, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_whisper(s, NULL, 1, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_gossip(s, "x", 1, 0, slots, NULL));
	FAILS(EINVAL, kennel_gossip(s, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_publish(s, topics, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_tell(s, 0, "x", 1, "y", 1));
	FAILS(EINVAL, kennel_publish(s, NULL, "x", 1, 0, NULL, NULL));
	FAILS(ENOTCONN, kennel_step(s, "x", 1, NULL, NULL));
	FAILS(ENOTCONN, kennel_subscribe(s, "a"));
	FAILS(EINVAL, kennel_subscribe(s, NULL));
	FAILS(EINVAL, kennel_send(s, NULL, 1, 0));
	IS(kennel_socket_header(s, NULL) == NULL);
	snprintf(text, sizeof(text), wrong == 0 ? "ok" : "line %d", wrong);
	kennel_send(s, text, strlen(text), 0);
	kennel_close(s, 1000, NULL);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app apps[] = {
		{ .name = "nulls", .receive = receive, .onmessage = onmessage },
		{ .name = "deaf", .onmessage = onmessage },
	};

	return (kennel_worker_main(argc, argv, apps, 2));
}
