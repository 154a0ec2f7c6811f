/* How one server proves to another that both have the same key. */
#include <string.h>

#include <openssl/crypto.h>

#include "proto/vouch.h"

/* What is proven: a text in which no part can be taken for another. */
static int
vouch_text(struct buf *b, const char *seed, struct slice method,
    struct slice target)
{
	buf_addf(b, "%s %.*s ", seed, (int)method.len, method.data);
	buf_add(b, target.data, target.len);
	return (b->failed ? -1 : 0);
}

/* What follows the scheme; data NULL: it is another. */
static struct slice
vouch_rest(struct slice value)
{
	size_t	 n = sizeof(VOUCH_SCHEME);

	if (value.len < n || !slice_caseis(slice_of(value.data, n),
	    VOUCH_SCHEME " "))
		return (slice_of(NULL, 0));
	return (slice_trim(slice_of(value.data + n, value.len - n)));
}

void
vouch_ask(struct buf *b, const char *seed)
{
	buf_addf(b, "WWW-Authenticate: " VOUCH_SCHEME " seed=\"%s\"\r\n", seed);
}

int
vouch_seed(char dst[PROOF_SEED + 1], struct slice value)
{
	static const char	 before[] = "seed=\"";
	struct slice		 rest = vouch_rest(value);
	size_t			 n = sizeof(before) - 1;

	if (rest.len != n + PROOF_SEED + 1 ||
	    memcmp(rest.data, before, n) != 0 || rest.data[rest.len - 1] != '"')
		return (-1);
	memcpy(dst, rest.data + n, PROOF_SEED);
	dst[PROOF_SEED] = '\0';
	return (strspn(dst, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz") == PROOF_SEED ? 0 : -1);
}

int
vouch_answer(struct buf *b, struct slice key, const char *seed,
    struct slice method, struct slice target)
{
	struct buf	 text = { 0 };
	char		 proof[PROOF_LEN + 1];
	int		 rv = -1;

	if (vouch_text(&text, seed, method, target) == 0 &&
	    proof_make(proof, key, slice_of(text.data, text.len)) == 0) {
		buf_addf(b, "Authorization: " VOUCH_SCHEME " %s\r\n", proof);
		rv = b->failed ? -1 : 0;
	}
	buf_clear(&text);
	return (rv);
}

int
vouch_right(struct slice value, struct slice key, const char *seed,
    struct slice method, struct slice target)
{
	struct slice	 proof = vouch_rest(value);
	struct buf	 text = { 0 };
	int		 right;

	right = seed[0] != '\0' && proof.data != NULL &&
	    vouch_text(&text, seed, method, target) == 0 &&
	    proof_right(proof, key, slice_of(text.data, text.len));
	buf_clear(&text);
	return (right);
}
