/* pact: ids of rooms, and the signatures that make an admin. */
#ifndef SHARDD_APPS_PACT_SIGN_H
#define SHARDD_APPS_PACT_SIGN_H

#include <stddef.h>

#include "shardd/apps/js.h"

#define PACT_ID		16

/* 16 hex digits that stand for a group. */
void	 pact_room_id(char dst[PACT_ID + 1], const char *group, size_t len);
/* Is key (NULL: was not sent) the signature over the room, ts, which is digits
 * without a leading zero, and the signing key? */
int	 pact_signed(const char *room, size_t room_len, const char *ts,
	    const json_t *key);

#endif
