/* pact: requests: pages, details, users, and the headers of an upgrade. */
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/pact_http.h"
#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_sign.h"
#include "shardd/apps/pact_users.h"

/* ---- sessions ---- */

/* encodeURIComponent(); malloc'd. */
static char *
pact_encode(const char *s, size_t len)
{
	static const char	 plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789"
				    "-_.!~*'()";
	char			*dst = malloc(3 * len + 1), *p = dst;

	for (size_t i = 0; dst != NULL && i < len; i++)
		if (s[i] != '\0' && strchr(plain, s[i]) != NULL)
			*p++ = s[i];
		else
			p += sprintf(p, "%%%02X", (unsigned char)s[i]);
	if (dst != NULL)
		*p = '\0';
	return (dst);
}

/* What an upgrade is answered with: the session, for cookies. */
static void
pact_session_headers(struct kennel_request *q)
{
	const char	*uid, *group;
	size_t		 uid_len, group_len;
	char		*encoded, *cookie = NULL, room[PACT_ID + 1];
	int		 https = kennel_request_secure(q);

	uid = kennel_request_uid(q, &uid_len);
	group = kennel_request_group(q, &group_len);
	pact_room_id(room, group, group_len);
	if ((encoded = pact_encode(uid, uid_len)) == NULL ||
	    asprintf(&cookie, "%s_session=%s; Path=/; HttpOnly; %s", room,
	    encoded, https ? "SameSite=None; Secure" : "SameSite=Lax") == -1)
		cookie = NULL;
	if (cookie != NULL)
		kennel_header(q, "Set-Cookie", cookie);
	/* An id that is no header stands there encoded. */
	if (encoded != NULL && (strlen(uid) != uid_len ||
	    kennel_header(q, "X-Session-Id", uid) == -1))
		kennel_header(q, "X-Session-Id", encoded);
	kennel_header(q, "X-Socket-Server", "Kennel");
	free(encoded);
	free(cookie);
}

/* A room's socket begins, if its names can stand in JSON. */
static void
pact_connect(struct kennel_request *q)
{
	const char	*uid, *group;
	size_t		 uid_len, group_len;
	json_t		*a, *b;

	uid = kennel_request_uid(q, &uid_len);
	group = kennel_request_group(q, &group_len);
	a = json_stringn(uid, uid_len);
	b = json_stringn(group, group_len);
	/* Both will stand in JSON, which is UTF-8. */
	if (a == NULL || b == NULL)
		kennel_respond(q, 400, "text/plain",
		    "room and session must be UTF-8\n", 31);
	else {
		if (kennel_request_upgrades(q))
			pact_session_headers(q);
		kennel_connect(q);	/* or says 426 */
	}
	json_decref(a);
	json_decref(b);
}

/* ---- details ---- */

/* The answer to /details, when what was before it is known. */
static void
pact_details_cb(struct kennel_replica *r, int err, void *arg)
{
	struct kennel_request	*q = arg;
	struct js_text		 t;
	const char		*group, *config;
	char			 id[PACT_ID + 1];
	size_t			 len, config_len = 0;
	double			 now = (double)kennel_time(), boot;

	if (r == NULL || err != 0 || js_begin(&t) == -1) {
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	group = kennel_replica_group(r, &len);
	pact_room_id(id, group, len);
	boot = pact_number(r, "~room", "boot");
	if (boot == 0)
		boot = now;
	fprintf(t.f, "{\"id\":\"%s\",\"name\":", id);
	js_write_string(t.f, group, len);
	fprintf(t.f, ",\"count\":%.0f,\"uniqueCount\":%zu,\"increment\":%.0f,"
	    "\"incrementSinceRestart\":%.0f,\"pollCount\":%zu,"
	    "\"ephemeralPollCount\":%zu,\"config\":",
	    pact_number(r, "~room", "sockets"), kennel_count(r, "~online"),
	    pact_number(r, "room", "increment"),
	    pact_number(r, "~room", "connections"),
	    kennel_count(r, pact_poll.polls),
	    kennel_count(r, pact_ephemeral.polls));
	config = kennel_get(r, "room", "config", 6, &config_len);
	js_write_string(t.f, config, config_len);
	fprintf(t.f, ",\"bootupTime\":%.0f,\"uptime\":%.0f}", boot,
	    now > boot ? now - boot : 0);
	app_respond_text(q, &t);
}

/* ---- requests ---- */

static const struct {
	const char	*path, *page;
} pact_pages[] = {
	{ "/pact", "pact.html" },
	{ "/chat", "pactchat.html" },
	{ "/poll", "poll.html" },
	{ "/ephemeral", "poll.html" },
	{ "/livemap", "livemap.html" },
};

/* A page by its path, or 404. */
static void
pact_page(struct kennel_request *q, const char *path)
{
	for (size_t i = 0; i < sizeof(pact_pages) / sizeof(pact_pages[0]); i++)
		if (strcmp(path, pact_pages[i].path) == 0) {
			kennel_header(q, "Content-Type",
			    "text/html; charset=utf-8");
			kennel_respond_page(q, pact_pages[i].page);
			return;
		}
	kennel_respond(q, 404, NULL, NULL, 0);
}

void
pact_receive(struct kennel_request *q)
{
	struct kennel_replica	*r = kennel_request_replica(q);
	const char		*method = kennel_request_method(q);
	const char		*path = kennel_request_path(q);
	const char		*last = strrchr(path, '/');
	int			 rv = -1;

	if (last == NULL)
		last = "";
	if (r != NULL && strcmp(last, "/websocket") == 0) {
		pact_connect(q);
		return;
	}
	if (r != NULL && (strcmp(last, "/details") == 0 ||
	    strcmp(last, "/users") == 0))
		app_for_all_origins(q);
	if (app_options(q, "GET, HEAD"))
		return;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		kennel_header(q, "Allow", "GET, HEAD");
		kennel_respond(q, 405, "text/plain", "Method not allowed\n", 19);
		return;
	}
	if (r == NULL) {
		pact_page(q, path);
		return;
	}
	/* Whatever anybody has been told is known when a step of ours is. */
	if (strcmp(last, "/details") == 0)
		rv = kennel_replica_step(r, "sync", 5, pact_details_cb, q);
	else if (strcmp(last, "/users") == 0) {
		pact_users(q, r);
		return;
	} else {
		kennel_respond(q, 404, NULL, NULL, 0);
		return;
	}
	if (rv == -1)
		kennel_respond(q, 503, NULL, NULL, 0);
}
