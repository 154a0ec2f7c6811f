/* What the functions of kennel.h have in common. */
#include <errno.h>

#include "proto/utf8.h"
#include "proto/ws_frame.h"
#include "shardd/api/api.h"
#include "shardd/client/payload.h"
#include "shardd/kennel.h"

struct payload *
api_payload(const char *data, size_t len, int flags)
{
	if (data == NULL && len > 0) {
		errno = EINVAL;
		return (NULL);
	}
	if ((flags & KENNEL_BINARY) == 0 && !utf8_valid(data, len)) {
		errno = EILSEQ;
		return (NULL);
	}
	return (payload_frame(flags & KENNEL_BINARY ? WS_BINARY : WS_TEXT,
	    slice_of(data, len)));
}

struct payload *
api_message(const char *data, size_t len, int flags)
{
	struct payload	*p;

	if (data == NULL && len > 0) {
		errno = EINVAL;
		return (NULL);
	}
	if ((p = payload_formed(FORM_PLAIN, WS_BINARY,
	    slice_of(data, len))) != NULL)
		p->more = (flags & KENNEL_MORE) != 0;
	return (p);
}
