/* Any text as the URL of a Redis: refused with a sentence, or understood. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/redis_url.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be true of each URL that is accepted. */
static void
accepted(const struct redis_url *u, const char *text)
{
	if (u->path != NULL) {
		if (u->nplaces != 0 || u->tls || u->master != NULL)
			abort();
	} else if (u->nplaces == 0 || u->nplaces > REDIS_PLACES ||
	    (u->nplaces > 1 && u->master == NULL) ||
	    redis_url_door(text) == NULL)
		abort();
	for (size_t i = 0; i < u->nplaces; i++)
		if (u->places[i].host[0] == '\0' || u->places[i].port < 1 ||
		    u->places[i].port > 65535)
			abort();
	if (u->db < 0 || u->db > 65535 ||
	    (u->password != NULL && u->password_file != NULL) ||
	    (!u->tls && (u->ca_file != NULL || u->cert_file != NULL)) ||
	    (u->cert_file == NULL) != (u->key_file == NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redis_url	 u;
	char			*text = slice_dup(slice_of(data, size));
	const char		*why;

	if (text == NULL)
		return (0);
	if ((why = redis_url_parse(&u, text)) == NULL)
		accepted(&u, text);
	else if (*why == '\0')
		abort();
	redis_url_clear(&u);
	free(text);
	return (0);
}
