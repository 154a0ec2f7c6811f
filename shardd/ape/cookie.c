/* Which browser a request or connection belongs to. */
#include <stdio.h>
#include <string.h>

#include "proto/digest.h"
#include "shardd/ape/queryid.h"
#include "shardd/ape/cookie.h"

void
cookie_session(char dst[APE_ID + 1], const char *cookie, const char *uid)
{
	const char	*from = cookie != NULL ? cookie : uid;
	char		 digest[DIGEST_LEN + 1];

	if (queryid_is(from, strlen(from), APE_ID))
		memcpy(dst, from, APE_ID + 1);
	else if (digest_name(digest, slice_str(from)) == -1)
		queryid_random(dst, APE_ID);
	else {
		memcpy(dst, digest + sizeof(DIGEST_PREFIX) - 1, APE_ID);
		for (int i = 0; i < APE_ID; i++)
			if (dst[i] >= 'a')
				dst[i] = (char)(dst[i] - 'a' + 'A');
		dst[APE_ID] = '\0';
	}
}

int
cookie_request(char dst[APE_ID + 1], struct kennel_request *q)
{
	const char	*cookie = kennel_request_cookie(q, COOKIE_SESSION, NULL);

	cookie_session(dst, cookie, kennel_request_uid(q, NULL));
	return (cookie != NULL && strcmp(cookie, dst) == 0);
}

void
cookie_keep(struct kennel_request *q)
{
	char	 id[APE_ID + 1], text[128];

	if (cookie_request(id, q))
		return;
	snprintf(text, sizeof(text), COOKIE_SESSION "=%s; Path=/; HttpOnly; "
	    "SameSite=Strict", id);
	kennel_header(q, "Set-Cookie", text);
}
