/* Kin: the servers of our own cluster. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "common/bytes.h"
#include "common/redis.h"
#include "shardd/api/surroundings.h"
#include "shardd/forest/kin.h"
#include "shardd/kennel.h"

#define KIN_DEADLINE_MS	5000

struct kin {
	struct redis	*redis;		/* NULL: the cluster is this node */
	char		*id;		/* NULL: not known yet */
	int		 named;		/* it was told */
	kin_named_cb	*cb;
	void		*arg;
};

struct kin_ask {
	kin_answer_cb	*cb;
	void		*arg;
};

static const char	 kin_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* A name beside those of the cluster, malloc'd: NULL without memory. */
static char *
kin_key(const char *what, const char *name)
{
	const char	*prefix = kennel_option("redis_prefix");
	char		*key;

	return (asprintf(&key, "%sape:%s:%s", prefix == NULL ? "" : prefix, what,
	    name) == -1 ? NULL : key);
}

/* The id as 5 bits of each of these bytes. */
static void
kin_spell(char dst[KIN_ID + 1], const unsigned char *bytes)
{
	for (size_t i = 0; i < KIN_ID; i++)
		dst[i] = kin_alphabet[bytes[i] & 31];
	dst[KIN_ID] = '\0';
}

/* An id that all processes of this node find by themselves. */
static char *
kin_own(void)
{
	unsigned char	 sum[SHA256_DIGEST_LENGTH];
	char		 host[256] = "", id[KIN_ID + 1];
	struct buf	 b = { 0 };

	gethostname(host, sizeof(host) - 1);
	buf_adds(&b, host);
	buf_add(&b, "", 1);
	buf_adds(&b, kennel_node());
	if (b.failed)
		return (NULL);
	SHA256((const unsigned char *)b.data, b.len, sum);
	buf_clear(&b);
	kin_spell(id, sum);
	return (strdup(id));
}

/* Redis knows that this id is of the cluster. */
static void
kin_known_cb(const struct redis_value *v, int err, void *arg)
{
	struct kin	*k = arg;

	(void)err;
	if (v == NULL || v->kind == REDIS_ERROR || k->named)
		return;
	k->named = 1;
	k->cb(k->id, k->arg);
}

/* Write our id down for the other nodes; again whenever Redis is back. */
static void
kin_write(struct kin *k)
{
	char	*key = kin_key("server", k->id);

	if (key != NULL)
		redis_do(k->redis, KIN_DEADLINE_MS, kin_known_cb, k, "SET", key,
		    kennel_node(), NULL);
	free(key);
}

/* What this node is called was read. */
static void
kin_read_cb(const struct redis_value *v, int err, void *arg)
{
	struct kin	*k = arg;

	(void)err;
	if (v == NULL || v->kind != REDIS_STRING || v->len == 0 || k->id != NULL)
		return;
	if ((k->id = strndup(v->str, v->len)) != NULL)
		kin_write(k);
}

/* Name this node, if nobody has, and read the name. */
static void
kin_name(struct kin *k)
{
	uint64_t	 bits = bytes_random64();
	char		*key = kin_key("node", kennel_node());
	char		 id[KIN_ID + 1];

	kin_spell(id, (const unsigned char *)&bits);
	if (key != NULL && redis_do(k->redis, KIN_DEADLINE_MS, NULL, NULL, "SET",
	    key, id, "NX", NULL) == 0)
		redis_do(k->redis, KIN_DEADLINE_MS, kin_read_cb, k, "GET", key,
		    NULL);
	free(key);
}

/* Redis has come or gone. */
static void
kin_state_cb(int up, void *arg)
{
	struct kin	*k = arg;

	if (up && k->id != NULL)
		kin_write(k);
	else if (up)
		kin_name(k);
}

struct kin *
kin_new(const char *given, kin_named_cb *cb, void *arg)
{
	const char	*url = kennel_option("redis");
	struct kin	*k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	k->cb = cb;
	k->arg = arg;
	if (given != NULL && (k->id = strdup(given)) == NULL)
		goto fail;
	if (url != NULL && *url != '\0') {
		if ((k->redis = redis_new(surroundings->base, url, "kin",
		    kin_state_cb, k)) == NULL)
			goto fail;
		return (k);
	}
	if (k->id == NULL && (k->id = kin_own()) == NULL)
		goto fail;
	k->named = 1;
	cb(k->id, arg);
	return (k);
fail:
	kin_free(k);
	return (NULL);
}

void
kin_free(struct kin *k)
{
	if (k == NULL)
		return;
	redis_free(k->redis);
	free(k->id);
	free(k);
}

/* Redis has answered whether it is kin. */
static void
kin_verdict_cb(const struct redis_value *v, int err, void *arg)
{
	struct kin_ask	*ask = arg;
	int		 bad = err != 0 || v == NULL || v->kind == REDIS_ERROR;

	ask->cb(!bad && v->kind != REDIS_NIL, bad, ask->arg);
	free(ask);
}

void
kin_ask(struct kin *k, const char *server_id, kin_answer_cb *cb, void *arg)
{
	struct kin_ask	*ask;
	char		*key;

	if (k->redis == NULL) {
		cb(0, 0, arg);
		return;
	}
	ask = malloc(sizeof(*ask));
	key = kin_key("server", server_id);
	if (ask != NULL) {
		ask->cb = cb;
		ask->arg = arg;
	}
	if (ask == NULL || key == NULL || redis_do(k->redis, KIN_DEADLINE_MS,
	    kin_verdict_cb, ask, "GET", key, NULL) == -1) {
		free(ask);
		cb(0, 1, arg);
	}
	free(key);
}
