/* What is on its way to other hosts. */
#include "shardd/events/post.h"

struct post
post_of(const struct parcel *p)
{
	return ((struct post){ .parcel = p });
}

struct post
post_of_frame(const struct fasttcp_frame *f)
{
	return ((struct post){ .plain = *f });
}

void
post_clear(struct post *p)
{
	buf_clear(&p->text);
	buf_clear(&p->bytes);
}

const struct fasttcp_frame *
post_frame(struct post *p, int kennel)
{
	const struct letter	*l;

	if (p->parcel != NULL && kennel) {
		if (p->frame.type == FASTTCP_UNKNOWN)
			parcel_write(&p->bytes, p->parcel);
		p->frame = (struct fasttcp_frame){ .type = FASTTCP_PARCEL,
		    .data_type = FASTTCP_BINARY,
		    .data = slice_of(p->bytes.data, p->bytes.len) };
		return (p->bytes.failed ? NULL : &p->frame);
	}
	if (p->parcel != NULL && p->plain.type == FASTTCP_UNKNOWN) {
		if (p->parcel->kind != PARCEL_LETTER)
			return (NULL);
		l = &p->parcel->letter;
		letter_write(&p->text, l);
		p->plain = (struct fasttcp_frame){
		    .type = l->whom == WHOM_SOCKETS ? FASTTCP_TO_SOCKET :
		    l->whom == WHOM_ROOMS ? FASTTCP_TO_ROOM : FASTTCP_BROADCAST,
		    .data_type = FASTTCP_OBJECT,
		    .data = slice_of(p->text.data, p->text.len) };
	}
	return (p->text.failed ? NULL : &p->plain);
}
