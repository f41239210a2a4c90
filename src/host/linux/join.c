/* Sending, with datagrams joined: those of a batch that go to one peer one after the other, from the same address of ours,
 * pass through the kernel as one and are parted at its end or by the network card (UDP_SEGMENT). */
#define _GNU_SOURCE 1
#include "../batch.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

enum {
    JOINED_OCTETS = 65000, /* of all datagrams of a message: it must fit one IP packet */
    CONTROL_MOST = 64      /* octets of the control data that the datagrams have already, and of ours */
};
_Static_assert(COPAL__BATCH <= 64, "every kernel with UDP_SEGMENT takes so many");
_Static_assert(CONTROL_MOST >= COPAL__ANSWER_SIZE + CMSG_SPACE(sizeof(uint16_t)), "room for both");

const bool copal__udp_joins = true;

typedef struct {
    struct mmsghdr messages[COPAL__BATCH];
    struct iovec vectors[COPAL__BATCH]; /* of the datagrams that are joined */
    _Alignas(struct cmsghdr) uint8_t controls[COPAL__BATCH / 2][CONTROL_MOST];
    uint8_t joined[COPAL__BATCH]; /* how many datagrams each message is */
    unsigned count;               /* of messages */
} joined_t;

static size_t size_of(const copal__slot_t *slot)
{
    return slot->header.msg_iov->iov_len;
}

/* Those who leave by the same address share its control data. */
static bool same_way(const struct msghdr *a, const struct msghdr *b)
{
    return a->msg_control == b->msg_control && a->msg_namelen == b->msg_namelen &&
           memcmp(a->msg_name, b->msg_name, a->msg_namelen) == 0;
}

/* How many of the first datagrams can be one message: all of the first one's size, but for the last, which may be shorter. */
static unsigned run_of(const copal__slot_t *slots, unsigned count)
{
    const size_t size = size_of(slots);
    const size_t most = size > 0 ? JOINED_OCTETS / size : 0;
    unsigned run = 1;
    while (run < count && run < most && size_of(&slots[run]) <= size && size_of(&slots[run]) > 0 &&
           same_way(&slots->header, &slots[run].header)) {
        run++;
        if (size_of(&slots[run - 1]) < size)
            break;
    }
    return run;
}

static void add_segment_size(struct msghdr *header, uint8_t *control, uint16_t size)
{
    const struct cmsghdr head = {
        .cmsg_len = CMSG_LEN(sizeof size), .cmsg_level = IPPROTO_UDP, .cmsg_type = UDP_SEGMENT};
    const size_t before = header->msg_controllen;
    if (before > 0)
        memcpy(control, header->msg_control, before);
    memset(control + before, 0, CMSG_SPACE(sizeof size));
    memcpy(control + before, &head, sizeof head);
    memcpy(control + before + CMSG_LEN(0), &size, sizeof size);
    header->msg_control = control;
    header->msg_controllen = before + CMSG_SPACE(sizeof size);
}

static void join(joined_t *all, const copal__slot_t *slots)
{
    unsigned joints = 0;
    for (unsigned m = 0, at = 0; m < all->count; at += all->joined[m++]) {
        struct msghdr *header = &all->messages[m].msg_hdr;
        *header = slots[at].header;
        if (all->joined[m] == 1)
            continue;
        for (unsigned i = at; i < at + all->joined[m]; i++)
            all->vectors[i] = *slots[i].header.msg_iov;
        header->msg_iov = &all->vectors[at];
        header->msg_iovlen = all->joined[m];
        add_segment_size(header, all->controls[joints++], (uint16_t)size_of(&slots[at]));
    }
}

/* What the kernel says where it cannot join: it does not know how, the interface computes no checksums, the datagrams are
 * larger than the MTU. */
static bool is_refusal(int reason)
{
    return reason == EINVAL || reason == EIO || reason == EOPNOTSUPP || reason == EMSGSIZE;
}

static int send_joined(int fd, bool *joins, joined_t *all, copal__slot_t *slots)
{
    int done = 0;
    join(all, slots);
    const int sent = sendmmsg(fd, all->messages, all->count, 0);
    for (int i = 0; i < sent; i++)
        done += all->joined[i];
    if (sent >= 0 || all->joined[0] == 1 || !is_refusal(errno))
        return sent < 0 ? sent : done;
    done = sendmmsg(fd, (struct mmsghdr *)slots, all->joined[0], 0);
    *joins = done < 0; /* else it was the joining that was refused */
    return done;
}

int copal__udp_send(int fd, bool *joins, copal__slot_t *slots, unsigned count)
{
    joined_t all;
    all.count = count;
    if (*joins && count > 1) {
        all.count = 0;
        for (unsigned at = 0; at < count; at += all.joined[all.count++])
            all.joined[all.count] = (uint8_t)run_of(&slots[at], count - at);
    }
    return all.count < count ? send_joined(fd, joins, &all, slots) : sendmmsg(fd, (struct mmsghdr *)slots, count, 0);
}
