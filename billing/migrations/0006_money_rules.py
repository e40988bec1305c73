"""What the database itself refuses about money, and the credit of before as buckets.  Source: billing.md 6.1, 17."""

from django.db import migrations
from django.db.models import Sum

RULES = """
DROP TRIGGER usagerecord_append_only ON billing_usagerecord;
UPDATE billing_usagerecord SET gross_nanos = amount_nanos;

CREATE FUNCTION billing_only_posting_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.posting_id IS NOT NULL OR NEW.posting_id IS NULL
     OR (to_jsonb(NEW) - 'posting_id') <> (to_jsonb(OLD) - 'posting_id') THEN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER usagerecord_append_only BEFORE UPDATE OR DELETE ON billing_usagerecord
  FOR EACH ROW EXECUTE FUNCTION billing_only_posting_changes();

CREATE TRIGGER ledgertxn_append_only BEFORE UPDATE OR DELETE ON billing_ledgertxn
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER ledgerentry_append_only BEFORE UPDATE OR DELETE ON billing_ledgerentry
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER bucketconsumption_append_only BEFORE UPDATE OR DELETE ON billing_bucketconsumption
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER usageposting_append_only BEFORE UPDATE OR DELETE ON billing_usageposting
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER runreceipt_append_only BEFORE UPDATE OR DELETE ON billing_runreceipt
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER dayseal_append_only BEFORE UPDATE OR DELETE ON billing_dayseal
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();
CREATE TRIGGER invoiceline_append_only BEFORE UPDATE OR DELETE ON billing_invoiceline
  FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();

CREATE FUNCTION billing_txn_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total numeric; parts bigint;
BEGIN
  SELECT coalesce(sum(amount_nanos), 0), count(*) INTO total, parts FROM billing_ledgerentry WHERE txn_id = NEW.id;
  IF total <> 0 OR parts < 2 THEN
    RAISE EXCEPTION 'ledger transaction % does not balance', NEW.key;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledgertxn_balances AFTER INSERT ON billing_ledgertxn
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_txn_balances();

CREATE FUNCTION billing_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total numeric;
BEGIN
  SELECT sum(amount_nanos) INTO total FROM billing_ledgerentry WHERE txn_id = NEW.txn_id;
  IF total <> 0 THEN
    RAISE EXCEPTION 'ledger transaction % does not balance', NEW.txn_id;
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledgerentry_balances AFTER INSERT ON billing_ledgerentry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_entry_balances();
"""


def move_grants(apps, schema_editor):
    """Each account's grants become one bucket of free credit; what it has used is posted against it from now on."""
    grants, buckets = apps.get_model("billing", "CreditGrant"), apps.get_model("billing", "CreditBucket")
    payers, balances = apps.get_model("billing", "BillingAccount"), apps.get_model("billing", "LedgerBalance")
    txns, entries = apps.get_model("billing", "LedgerTxn"), apps.get_model("billing", "LedgerEntry")
    for row in grants.objects.values("account_id").annotate(total=Sum("amount_nanos")).order_by("account_id"):
        account, total = row["account_id"], row["total"]
        payers.objects.create(account_id=account, mode="prepaid", spendable_nanos=max(total, 0))
        if total <= 0:
            continue
        newest = grants.objects.filter(account_id=account).latest("id")
        bucket = buckets.objects.create(
            account_id=account, kind="promo", granted_nanos=total, remaining_nanos=total, priority=10,
            source=f"granted-before:{account}", reason="Granted before there was a ledger",
        )  # fmt: skip
        sides = [("promo_cost", total, None), (f"promo:{account}", -total, 1)]
        txn = txns.objects.create(
            key=f"grant:{bucket.pk}", kind="grant", effective_at=newest.created_at, entries_hash="moved"
        )
        for code, amount, seq in sides:
            entries.objects.create(txn=txn, code=code, amount_nanos=amount, seq=seq)
            balance, _ = balances.objects.get_or_create(code=code, currency="usd", shard=0 if seq else account % 16)
            balance.posted_nanos += amount
            balance.entry_count += 1
            balance.save()


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_money")]
    operations = [
        migrations.RunSQL(RULES),
        migrations.RunPython(move_grants),
        migrations.DeleteModel(name="CreditGrant"),
    ]
