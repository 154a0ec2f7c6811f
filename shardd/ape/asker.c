/* Who asks for a file, or brings one. */
#include <string.h>

#include "shardd/ape/asker.h"
#include "shardd/ape/cookie.h"

void
asker_of(struct asker *who, struct kennel_request *q)
{
	const char	*header = kennel_request_header(q, "X-Ape-Client-Id");

	memset(who, 0, sizeof(*who));
	if (!cookie_request(who->cookie, q))
		who->cookie[0] = '\0';
	if (header != NULL && strlen(header) <= APE_ID)
		strcpy(who->header, header);
}

const char *
asker_name(const struct asker *who)
{
	return (who->cookie[0] != '\0' ? who->cookie : who->header);
}

int
asker_is_server(const struct kennel_request *q)
{
	return (strncmp(kennel_request_peer(q), "server:", 7) == 0);
}
